//! Does the signature match?

use std::time::Duration;

use http::request::Parts;
use ring::hmac;
use types::Timestamp;
use types::limits::CLOCK_SKEW_MAX;

use super::key::{Keys, derive};
use super::{Error, Form, Signed, canonical, date};

/// Verifies signatures and remembers derived keys. One per server: keys of all callers together
/// are bounded.
#[derive(Default)]
pub struct Verifier {
    keys: Keys,
}

impl Verifier {
    /// One that remembers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Verifies `signed`, which was parsed from `parts`, with the secret of its access key.
    /// The comparison takes the same time wherever the signatures differ.
    pub fn verify(
        &self,
        signed: &Signed,
        secret: &str,
        parts: &Parts,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Error> {
        check_time(signed, now)?;
        let payload_hash = canonical::payload_hash(parts, body);
        let request = canonical::request(parts, &signed.signed_headers, &payload_hash);
        let to_sign = canonical::string_to_sign(&signed.time_text, signed.scope(), &request);
        let key = self.keys.get(&signed.credential, secret, || {
            derive(secret, signed.date(), &signed.region, &signed.service)
        });
        hmac::verify(&key, to_sign.as_bytes(), &signed.signature).map_err(|_| Error::Mismatch {
            canonical_request: String::from_utf8_lossy(&request).into_owned(),
            string_to_sign: to_sign,
        })
    }
}

/// Five minutes either way for the header form; a pre-signed request may be used until it ends,
/// and its time may be five minutes ahead.
fn check_time(signed: &Signed, now: Timestamp) -> Result<(), Error> {
    let text = &signed.time_text;
    let latest = now.after(CLOCK_SKEW_MAX);
    if signed.time > latest {
        return Err(Error::Time {
            message: format!(
                "Signature not yet current: {text} is still later than {} ({} + 5 min.)",
                date::format(latest),
                date::format(now)
            ),
        });
    }
    match signed.form {
        Form::Header if now.since(signed.time) > CLOCK_SKEW_MAX => {
            let skew = u64::try_from(CLOCK_SKEW_MAX.as_millis()).unwrap_or(u64::MAX);
            let earliest = Timestamp::from_millis(now.as_millis().saturating_sub(skew));
            Err(Error::Time {
                message: format!(
                    "Signature expired: {text} is now earlier than {} ({} - 5 min.)",
                    date::format(earliest),
                    date::format(now)
                ),
            })
        }
        Form::Header => Ok(()),
        Form::Query { expires_seconds } => {
            let end = signed
                .time
                .after(Duration::from_secs(expires_seconds.into()));
            if end >= now {
                return Ok(());
            }
            Err(Error::Time {
                message: format!(
                    "Signature expired: {} is now earlier than {}",
                    date::format(end),
                    date::format(now)
                ),
            })
        }
    }
}
