//! Who sent a request, and may they do this? One way to ask, for every role that serves requests.
//!
//! ```text
//!   request ─▶ authenticate ─▶ Requester (who, what they may, when, from where)
//!              signature, key      └─▶ authorise(Ask: action, resource, its owner and policy) ─▶ Ok, or Denied
//! ```
//!
//! [`identity`] says what an access key proves, [`roles`] what is known of execution roles; who keeps them
//! implements both.

mod authenticate;
pub mod authorisation;
mod blocking;
pub mod identity;
pub mod operator_key;
mod regions;
pub mod roles;

pub use authenticate::{Authenticator, Head, Refused, circumstances};
pub use blocking::run_blocking;
pub use regions::Regions;
