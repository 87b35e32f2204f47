//! AWS Signature Version 4: who signed this request, and did they?
//!
//! ```text
//!   request ─▶ Signed::parse ─▶ (caller looks up the secret) ─▶ Verifier::verify ─▶ Ok | Error
//! ```
//!
//! Both forms are read: the `Authorization` header and the pre-signed query. [`Signer`] makes
//! them, for our own clients and for the links we give out.
//!
//! A warm invoke pays this on its way, so derived keys are remembered ([`Verifier`]). A canonical
//! request is hashed as it is written and never built, whatever its sender makes of it.

mod canonical;
mod date;
mod key;
mod out;
mod sign;
mod signed;
mod signed_headers;
#[cfg(test)]
mod tests;
mod verify;

pub use sign::Signer;
pub use signed::{Form, Signed};
pub use verify::{Declared, Verifier};

/// The one algorithm there is.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What a credential scope ends with.
const TERMINATOR: &str = "aws4_request";
/// Payload hash of a request whose body is not signed.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// The header that says what the body's hash is.
const CONTENT_HASH: &str = "x-amz-content-sha256";
/// Bytes of a canonical request that a refusal shows.
const SHOWN_BYTES_MAX: usize = 8 * 1024;
/// The longest life of a pre-signed request, seconds (AWS: a week).
pub(crate) const EXPIRES_SECONDS_MAX: u32 = 604_800;

/// Why a signature is not accepted. The texts are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request is not signed at all.
    #[error("Missing Authentication Token")]
    Missing,
    /// The signature lacks parts, or they cannot be read.
    #[error("{message}")]
    Incomplete {
        /// AWS's words.
        message: String,
    },
    /// The time is too far off, or the pre-signed request has ended.
    #[error("{message}")]
    Time {
        /// AWS's words.
        message: String,
    },
    /// The credential's scope is not that of this service or day.
    #[error("{message}")]
    Scope {
        /// AWS's words.
        message: String,
    },
    /// Everything is there, but the signature is another's. The texts tell the caller what should
    /// have been signed; they hold nothing that the caller did not send.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your \
         AWS Secret Access Key and signing method. Consult the service documentation for \
         details.\n\nThe Canonical String for this request should have \
         been\n'{canonical_request}'\n\nThe String-to-Sign should have been\n'{string_to_sign}'\n"
    )]
    Mismatch {
        /// The canonical request.
        canonical_request: String,
        /// The string to sign.
        string_to_sign: String,
    },
}

impl types::ForCallers for Error {}
