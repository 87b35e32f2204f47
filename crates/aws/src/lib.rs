//! Calls to other AWS services, or to compatible ones: signed, with bounded answers.
//!
//! ```text
//!   s3, … ─▶ Request (service, path, headers, body) ─▶ Client: sign, connect or reuse, read ─▶ answer
//! ```
//!
//! Where a service is ([`Endpoint`]) and with which keys it is called ([`Keys`]) is the caller's to
//! say, and whose certificates are believed ([`Authorities`]). Nothing is tried again here: only the caller knows whether that is harmless.
//!
//! In reading order: [`Endpoint`], [`Client`], [`s3`].

mod client;
mod endpoint;
mod error;
pub mod s3;
mod trust;

pub use client::{Client, Request};
pub use endpoint::{Endpoint, Keys};
pub use error::Error;
pub use trust::{Authorities, NotABundle};

#[cfg(test)]
mod tests;
