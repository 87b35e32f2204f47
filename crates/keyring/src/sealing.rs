//! Sealed texts: data that only holders of a key can read, and make.
//!
//! ```text
//!   base64url( 2 | key id (4) | nonce (12) | ciphertext of the data's JSON | tag (16) )    AES-256-GCM
//!   base64url( 1              | nonce (12) | …                                         )    from before key ids
//! ```
//!
//! Nonces are random. One key may seal 2^32 texts before a repetition becomes likely enough to
//! matter (NIST SP 800-38D): a thousand environments a second for 49 days. Rotate before that.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use types::{Random, Timestamp};

use crate::derived::Derived;
use crate::keyring::Keyring;
use crate::master::KeyId;

const WITHOUT_ID: u8 = 1;
const WITH_ID: u8 = 2;
const NONCE_BYTES: usize = 12;
/// Part of what is authenticated, so that a text cannot be used for another purpose.
const PURPOSE: &[u8] = b"lambent session token 1";
/// Longer texts are not opened. A session token of the longest ARN takes about 3 KiB, and what may be
/// given to a session another 6.
const CHARACTERS_MAX: usize = 16_384;

/// Seals and opens texts of one purpose.
pub struct Sealing(Derived<LessSafeKey>);

impl Sealing {
    /// By keys derived for `purpose`.
    pub fn new(keyring: &Arc<Keyring>, purpose: &'static str) -> Self {
        Self(Derived::new(keyring, move |master| {
            let key = UnboundKey::new(&AES_256_GCM, &master.derive(purpose));
            LessSafeKey::new(key.expect("AES-256 takes 32 bytes"))
        }))
    }

    /// Seals by the newest key.
    pub fn seal(&self, data: &impl Serialize, random: &dyn Random) -> String {
        let keys = self.0.keys();
        let (id, key) = &keys[0];
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce);
        let mut sealed = serde_json::to_vec(data).expect("a struct of texts has a JSON form");
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(PURPOSE),
            &mut sealed,
        )
        .expect("a session is far below the limit of AES-GCM, 64 GiB");
        let mut text = Vec::with_capacity(1 + KeyId::BYTES + NONCE_BYTES + sealed.len());
        text.push(WITH_ID);
        text.extend_from_slice(&id.0);
        text.extend_from_slice(&nonce);
        text.extend_from_slice(&sealed);
        BASE64.encode(text)
    }

    /// What was sealed; `None` if none of our keys sealed it, or it is something else.
    pub fn open<T: DeserializeOwned>(&self, text: &str, now: Timestamp) -> Option<T> {
        if text.len() > CHARACTERS_MAX {
            return None;
        }
        let bytes = BASE64.decode(text).ok()?;
        match *bytes.first()? {
            WITH_ID => {
                let id = KeyId(bytes.get(1..)?.first_chunk().copied()?);
                let sealed = &bytes[1 + KeyId::BYTES..];
                let keys = self.0.keys_with(id, now);
                let (_, key) = keys.iter().find(|(known, _)| *known == id)?;
                open(key, sealed)
            }
            WITHOUT_ID => {
                let keys = self.0.keys();
                keys.iter().find_map(|(_, key)| open(key, &bytes[1..]))
            }
            _ => None,
        }
    }

    /// Whether a text is sealed by the newest key.
    pub fn is_newest(&self, text: &str) -> bool {
        let bytes = BASE64.decode(text).unwrap_or_default();
        let (id, _) = &self.0.keys()[0];
        bytes
            .strip_prefix(&[WITH_ID])
            .is_some_and(|rest| rest.starts_with(&id.0))
    }
}

fn open<T: DeserializeOwned>(key: &LessSafeKey, sealed: &[u8]) -> Option<T> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let mut sealed = sealed.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let plain = key.open_in_place(nonce, Aad::from(PURPOSE), &mut sealed);
    serde_json::from_slice(plain.ok()?).ok()
}

#[cfg(test)]
mod tests;
