//! Identity: IAM and STS, as far as Lambda's users need them, and every access key.
//!
//! ```text
//!   request ─▶ service ─▶ authn ─▶ iam ─▶ rows ─▶ Table ─▶ keys, which authenticates everybody
//!                           │      sts ─▶ a session, sealed in its token        ▲
//!                           └───────────────────────────────────────────────────┘
//! ```
//!
//! [`Keys`] is what the other roles see: it implements `authn::identity::Identities`,
//! `authn::roles::Roles` and `api::credentials::RoleCredentials`. Only IAM's rows are stored.

#[cfg(any(test, feature = "examples"))]
pub mod examples;
mod iam;
mod keys;
mod service;
mod sts;
#[cfg(test)]
mod tests;

pub use iam::KeyUses;
pub use keys::{Keys, RootKey, UnknownRoles};
pub use service::{Dependencies, Service};
