//! The arrows of `api` between machines: gRPC over mutual TLS.
//!
//! ```text
//!   caller ─▶ Far<dyn Arrow> ─▶ Lines ─▶ Line ══ HTTP/2, TLS ══▶ Served ─▶ may this role call it? ─▶ the service itself
//! ```
//!
//! Messages are MessagePack with named members, so that versions one apart understand each other. The rule: a member that
//! is new has a serde default; one that is no longer needed is still written for a version, and none changes its name or
//! meaning; no message has `deny_unknown_fields`; a variant that is new is sent only when all processes know it. Messages
//! of earlier versions are kept, and read by a test (`tests/messages.rs`). Read in this order: [`message`] is their form, [`roles`] who is who, [`callers`] what a
//! caller may say of itself, [`identity`] what a process proves itself with, [`served`] the callee's side, [`line`] and [`route`] the caller's; `arrows` applies both
//! to every arrow.
//!
//! Rules: no call that may have been received is repeated here, since only its caller knows whether a repeat is harmless.
//! A call whose connection could not be made, or which the callee refused, was certainly not received, and is made on
//! the next line; of any other failure the outcome is not known.

mod arrows;
mod callers;
mod health;
mod identity;
mod line;
mod message;
mod roles;
mod route;
mod served;
#[cfg(test)]
mod tests;
mod worker;

pub use callers::Hosts;
pub use identity::{Identity, IdentityError};
pub use line::Line;
pub use roles::Peer;
pub use route::{Far, Lines};
pub use served::Served;
