//! Joining: a host without a certificate asks for one, with a token.
//!
//! ```text
//!   POST /join   { secret, request }   ─▶  200 { certificate, authorities, configuration, secret }
//!                                          400 no signing request   403 no such token, for whatever reason
//!                                          429 too many tries       503 not now
//! ```
//!
//! The host knows the cluster by the fingerprint in its token, and whom it speaks to by the name of the role control: no
//! other process of the cluster can pose as it, and get tokens.

mod asking;
mod serving;

use api::Secret;
use serde::{Deserialize, Serialize};

pub use asking::{JoinError, join};
pub use serving::{Handout, Joining};

const PATH: &str = "/join";
/// What is asked takes no more.
const QUESTION_BYTES_MAX: usize = 16 << 10;
/// What is answered takes no more.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What a host sends.
#[derive(Serialize, Deserialize)]
struct Question {
    secret: Secret,
    request: String,
}

/// What a host is given besides a certificate, as its roles need it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// Its configuration, TOML: where the cluster's stores are, and the keys to them.
    pub configuration: Secret,
    /// The file of the master keys, base64, if its roles need them.
    pub secret: Option<Secret>,
    /// The root access key, in the form of AWS's shared credentials, if its roles need it.
    pub credentials: Option<Secret>,
}

/// What a host that has joined gets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Joined {
    /// Its certificate, PEM.
    pub certificate: String,
    /// Whom it is to trust, PEM.
    pub authorities: String,
    /// What else it needs.
    pub welcome: Welcome,
}
