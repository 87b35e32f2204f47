//! The cluster's certificate authority: who is accepted, as what, and for how long.
//!
//! ```text
//!   lambent cluster init ─▶ Authority ─▶ the first host's certificate
//!                              │ sealed into the table by the first process with it
//!                              ▼
//!   cluster/authority                 its certificate, and its private key sealed by the master key
//!   cluster/tokens/<hash>             what a join token allows; deleted by its use
//!   cluster/certificates/<serial>     what has been issued
//!   cluster/revoked/<serial>          what is valid no more, and refused on every call
//!                              ▲
//!                          Registrar ◀── joining: HTTPS, a token ◀── lambent cluster join
//!                              ▲
//!                              └──────── Enrolment: mutual TLS ◀──── Renewing, at two thirds of a lifetime
//! ```
//!
//! The issuer decides the names in a certificate, never the request for it. Pure: [`authority`] issues, [`request`] and
//! [`facts`] read, [`token`] is a join token. [`registrar`] keeps the rows, [`folder`] a host's files. [`joining`] and [`renewing`] are the two ways
//! to a certificate.

mod authority;
mod facts;
mod folder;
mod joining;
mod registrar;
mod renewing;
mod request;
mod rows;
mod token;

#[cfg(test)]
mod tests;

pub use authority::{Authority, IssueError, fingerprint};
pub use facts::Facts;
pub use folder::{Files, Folder};
pub use joining::{Handout, JoinError, Joined, Joining, Welcome, join};
pub use registrar::{Error, Registrar};
pub use renewing::Renewing;
pub use request::{SigningKey, is_name};
pub use rows::{Allowed, Certificate};
pub use token::{NoToken, Token};
