//! What callers of Lambda's API may say of functions, layers, aliases, permissions and event source mappings; what
//! becomes of a row by it; and how the row is answered.
//!
//! ```text
//!   members of a request ─▶ rules ─▶ what becomes of the row ─▶ rules over the whole ─▶ the answer
//! ```
//!
//! Pure: no clock, no table, nobody who asks. Who may ask and what is read and written is `roles/control`'s.
//! Constraints of the public model, lengths and patterns, hold by now: `wire` checks them.

pub mod destinations;
pub mod functions;
pub mod layers;
pub mod mappings;
pub mod reasons;
pub mod statements;
pub mod weights;
