//! Session tokens: everything about a session, sealed with AES-256-GCM.
//!
//! ```text
//!   base64url( version (1) | nonce (12) | ciphertext of the session's JSON | tag (16) )
//! ```
//!
//! Nonces are random. One key may seal 2^32 tokens before a repetition becomes likely enough to
//! matter (NIST SP 800-38D): a thousand environments a second for 49 days. The key can be changed
//! by removing the secret file; sessions then end.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use types::{Random, Timestamp};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
/// Authenticated along, so that a token is of no use as anything else.
const PURPOSE: &[u8] = b"lambent session token 1";
/// No longer token is looked at. The longest ARN makes one of about 3 KiB.
const TOKEN_CHARACTERS_MAX: usize = 8_192;

/// What a token holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// ARN of the role.
    pub(super) role: String,
    /// The session's name.
    pub(super) session_name: String,
    /// The key that the token goes with.
    pub(super) access_key_id: String,
    /// Its secret.
    pub(super) secret: String,
    /// When it ends.
    pub(super) expires: Timestamp,
    /// The unique id of the role, if anybody had described it: the session ends with that role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role_id: Option<String>,
}

/// Seals and opens tokens.
pub(super) struct Sealing(LessSafeKey);

impl Sealing {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes");
        Self(LessSafeKey::new(key))
    }

    pub(super) fn seal(&self, session: &Session, random: &dyn Random) -> String {
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce);
        let mut sealed = serde_json::to_vec(session).expect("a struct of texts has a JSON form");
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(PURPOSE),
                &mut sealed,
            )
            .expect("a session is far below the limit of AES-GCM, 64 GiB");
        let mut token = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        token.push(VERSION);
        token.extend_from_slice(&nonce);
        token.extend_from_slice(&sealed);
        BASE64.encode(token)
    }

    /// The session; `None` if we did not seal this.
    pub(super) fn open(&self, token: &str) -> Option<Session> {
        if token.len() > TOKEN_CHARACTERS_MAX {
            return None;
        }
        let mut bytes = BASE64.decode(token).ok()?;
        let (head, sealed) = bytes.split_at_mut_checked(1 + NONCE_BYTES)?;
        let nonce = head.strip_prefix(&[VERSION])?.try_into().ok()?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(PURPOSE), sealed)
            .ok()?;
        serde_json::from_slice(plain).ok()
    }
}

#[cfg(test)]
mod tests {
    use types::SystemRandom;

    use super::*;

    fn session() -> Session {
        Session {
            role: "arn:aws:iam::000000000000:role/r".to_owned(),
            session_name: "f".to_owned(),
            access_key_id: "ASIA".to_owned(),
            secret: "hush".to_owned(),
            expires: Timestamp::from_millis(1),
            role_id: None,
        }
    }

    #[test]
    fn a_token_opens_only_whole_and_under_its_key() {
        let sealing = Sealing::new(&[1; 32]);
        let token = sealing.seal(&session(), &SystemRandom);
        assert!(sealing.open(&token) == Some(session()));
        assert!(Sealing::new(&[2; 32]).open(&token).is_none());
        let bytes = BASE64.decode(&token).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(
                sealing.open(&BASE64.encode(changed)).is_none(),
                "byte {place}"
            );
        }
        for hostile in ["", "AQ", "not base64!", &token[..20], &"A".repeat(100_000)] {
            assert!(sealing.open(hostile).is_none());
        }
    }

    #[test]
    fn the_same_session_is_never_sealed_alike() {
        let sealing = Sealing::new(&[1; 32]);
        assert_ne!(
            sealing.seal(&session(), &SystemRandom),
            sealing.seal(&session(), &SystemRandom)
        );
    }
}
