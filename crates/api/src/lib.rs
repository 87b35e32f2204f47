//! The arrows of the architecture picture: how one role calls another.
//!
//! One module per arrow: a trait, its request and answer types, its error. Roles import this
//! crate and never each other; `server` decides whether a trait is answered by the role itself in
//! this process or by a client that reaches it over the network.
//!
//! What is sent over an arrow is data, every call may fail, and every call may arrive twice or late;
//! each method says what happens then.
//!
//! Architecture invariant: no IO and no state here, and nothing of AWS's wire format.

pub mod assignment;
pub mod counting;
pub mod credentials;
pub mod enrolment;
pub mod events;
pub mod invoke;
pub mod logs;
pub mod lost;
pub mod membership;
pub mod placement;
pub mod preparation;
pub mod requests;
pub mod secret;
pub mod worker;

mod kind;

pub use kind::Kind;
pub use lost::{Loses, Lost};
pub use secret::Secret;
