//! What requests to Lambda's API may say about functions, layers, aliases, permissions and event source
//! mappings; how a request changes a row; and how the row is returned.
//!
//! ```text
//!   members of a request ─▶ rules ─▶ what becomes of the row ─▶ rules over the whole ─▶ the answer
//! ```
//!
//! Pure: no clock, no table, no caller's identity. Who may call and what is read and written is
//! `roles/control`'s. The public model's constraints, lengths and patterns, have been checked: `wire`
//! does that.

pub mod destinations;
pub mod functions;
pub mod layers;
pub mod mappings;
pub mod reasons;
pub mod statements;
pub mod weights;
