//! The checks on every invoke before it runs or is queued: who, what, and may they?
//!
//! ```text
//!   HTTP request ─▶ authenticate ─▶ name ─▶ authorise ─▶ request ─▶ metadata ─▶ Admitted
//!                   who signed?     which   may they?    checked    which
//!                                   function?            parts      version?
//! ```
//!
//! The two data planes have different frontends and ask the same. Function metadata is kept in memory
//! in full and fresh by watching the table: nothing here waits for the store in the usual case.

mod admit;
mod caller;
mod metadata;
mod request;
mod trace;
mod unreadable;

pub use admit::{Admission, Admitted};
pub use caller::Caller;
pub use metadata::{Found, Metadata};
pub use request::{Checked, InvocationType, too_large};
pub use trace::Trace;
