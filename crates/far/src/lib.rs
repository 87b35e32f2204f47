//! The arrows of `api` between machines: gRPC over mutual TLS.
//!
//! ```text
//!   caller ─▶ Far<dyn Arrow> ─▶ Line ══ HTTP/2, TLS ══▶ Served ─▶ may this role call it? ─▶ the service itself
//! ```
//!
//! Messages are MessagePack with named members, so that versions one apart understand each other: a member that is
//! new has a default. Read in this order: [`message`] is their form, [`roles`] who may call what, [`served`] the
//! callee's side, [`line`] the caller's; `arrows` applies both to every arrow.
//!
//! Rules: no call is repeated here, since only its caller knows whether a repeat is harmless. A call whose connection
//! could not be made was certainly not received; of any other failure the outcome is not known.

mod arrows;
mod line;
mod message;
mod roles;
mod served;
#[cfg(test)]
mod tests;
mod worker;

pub use line::{Far, Line, LineError};
pub use roles::{Certificates, Peer, dns_name};
pub use served::Served;
