//! Does the signature match?

use std::time::Duration;

use http::request::Parts;
use ring::hmac;
use types::Timestamp;
use types::limits::CLOCK_SKEW_MAX;

use super::canonical::{self, Canonical, Paths, Place};
use super::key::{Keys, derive};
use super::signed::unhex;
use super::{CONTENT_HASH, Error, Form, Signed, UNSIGNED_PAYLOAD, date};
use crate::shortened;

/// Verifies signatures and remembers derived keys. One per server: keys of all callers together
/// are bounded.
#[derive(Default)]
pub struct Verifier {
    pub(super) keys: Keys,
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
        let payload_hash = canonical::payload_hash(parts, body);
        self.verify_hash(signed, secret, parts, &payload_hash, now)
    }

    /// Verifies as much as can be before the body is there: all of it if the head says what the
    /// body's hash is, else only the time. Whether the body has that hash is seen when all of it
    /// is [verified](Self::verify).
    pub fn verify_head(
        &self,
        signed: &Signed,
        secret: &str,
        parts: &Parts,
        now: Timestamp,
    ) -> Result<Declared, Error> {
        let declared = parts.headers.get(CONTENT_HASH);
        let declared = declared.and_then(|value| value.to_str().ok());
        let is_hash = |text: &&str| *text == UNSIGNED_PAYLOAD || unhex(text).is_some();
        let Some(hash) = declared.filter(is_hash) else {
            check_time(signed, now)?;
            return Ok(Declared::Nothing);
        };
        self.verify_hash(signed, secret, parts, hash, now)?;
        Ok(Declared::Signer)
    }

    fn verify_hash(
        &self,
        signed: &Signed,
        secret: &str,
        parts: &Parts,
        payload_hash: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        check_time(signed, now)?;
        let canonical = Canonical {
            parts,
            signed_headers: &signed.signed_headers,
            payload_hash,
            paths: Paths::Normalised,
            place: match signed.form {
                Form::Header => Place::Header,
                Form::Query { .. } => Place::Query,
            },
        };
        let to_sign = canonical.string_to_sign(&signed.time_text, signed.scope());
        let known = self.keys.find(&signed.credential, secret);
        let is_new = known.is_none();
        let key =
            known.unwrap_or_else(|| derive(secret, signed.date(), &signed.region, &signed.service));
        hmac::verify(&key, to_sign.as_bytes(), &signed.signature).map_err(|_| Error::Mismatch {
            canonical_request: canonical.shown(),
            string_to_sign: shortened(&to_sign).into_owned(),
        })?;
        if is_new {
            self.keys.remember(&signed.credential, secret, key);
        }
        Ok(())
    }
}

/// What a head proves without its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Declared {
    /// Who signed it.
    Signer,
    /// Nothing: the signature covers a body that is not here yet.
    Nothing,
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
