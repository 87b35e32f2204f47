//! Policies as IAM has them: reading documents, and deciding by them who may do what.
//!
//! ```text
//!   text ─▶ parse ─▶ Policy ─┐
//!                            ├─▶ decide(Question) ─▶ allowed, or Denied with its reason
//!   caller, action, ARN, context ─┘        statement ─▶ principal, glob, condition
//! ```
//!
//! A document that is not understood in full is refused when it is stored, never half obeyed when
//! it is evaluated.
//!
//! Architecture invariant: pure functions of their arguments. No clock (the time is a value of the
//! [`Context`]), no IO, no knowledge of where policies are kept.

mod condition;
mod context;
mod decide;
mod document;
mod glob;
mod parse;
mod principal;

pub use context::Context;
pub use decide::{Denied, Kind, Permissions, Question, Why, decide};
pub use document::{Policy, Verdict};
pub use parse::{Form, Malformed};
pub use principal::{Caller, Grant};
