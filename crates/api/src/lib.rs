//! The arrows of the architecture picture: how one role speaks to another.
//!
//! One module per arrow: a trait, its request and answer types, its error. Roles import this
//! crate and never each other; `server` decides whether a trait is answered by the role itself in
//! this process or by a client that reaches it over the network.
//!
//! Every call may arrive twice or late; each method says what happens then.
//!
//! Architecture invariant: no IO and no state here, and nothing of AWS's wire format.

pub mod assignment;
pub mod authorisation;
pub mod code_signing;
pub mod counting;
pub mod credentials;
pub mod event_invoke;
pub mod event_sources;
pub mod events;
pub mod examples;
pub mod functions;
pub mod iam;
pub mod identity;
pub mod invoke;
pub mod layers;
pub mod log_groups;
pub mod logs;
pub mod operator_key;
pub mod packages;
pub mod placement;
pub mod policies;
pub mod provisioned;
pub mod recursion;
pub mod secret;
pub mod stacks;
pub mod urls;
pub mod worker;

mod kind;

pub use kind::Kind;
pub use secret::Secret;
