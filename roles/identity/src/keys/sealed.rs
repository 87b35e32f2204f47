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
use serde::Serialize;
use serde::de::DeserializeOwned;
use types::Random;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
/// Authenticated along, so that a token is of no use as anything else.
const PURPOSE: &[u8] = b"lambent session token 1";
/// No longer token is looked at. The longest ARN makes one of about 3 KiB, and what may be given to
/// a session another 6.
const TOKEN_CHARACTERS_MAX: usize = 16_384;

/// Seals and opens tokens.
pub(super) struct Sealing(LessSafeKey);

impl Sealing {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes");
        Self(LessSafeKey::new(key))
    }

    pub(super) fn seal(&self, session: &impl Serialize, random: &dyn Random) -> String {
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

    /// What was sealed; `None` if it was not sealed here, or is something else.
    pub(super) fn open<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
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
    use proptest::prelude::*;
    use serde::Deserialize;
    use types::SystemRandom;

    use super::*;

    #[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
    struct Held {
        text: String,
    }

    fn held() -> Held {
        let text = "hush".to_owned();
        Held { text }
    }

    fn open(sealing: &Sealing, token: &str) -> Option<Held> {
        sealing.open(token)
    }

    #[test]
    fn a_token_opens_only_whole_and_under_its_key() {
        let sealing = Sealing::new(&[1; 32]);
        let token = sealing.seal(&held(), &SystemRandom);
        assert_eq!(open(&sealing, &token), Some(held()));
        assert_eq!(open(&Sealing::new(&[2; 32]), &token), None);
        let bytes = BASE64.decode(&token).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(
                open(&sealing, &BASE64.encode(changed)),
                None,
                "byte {place}"
            );
        }
        for hostile in ["", "AQ", "not base64!", &token[..20], &"A".repeat(100_000)] {
            assert_eq!(open(&sealing, hostile), None);
        }
    }

    #[test]
    fn the_same_is_never_sealed_alike() {
        let sealing = Sealing::new(&[1; 32]);
        assert_ne!(
            sealing.seal(&held(), &SystemRandom),
            sealing.seal(&held(), &SystemRandom)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_was_not_sealed_here_never_opens(
            cut in 0_usize..60,
            put in prop::collection::vec(any::<u8>(), 0..40),
            text in "[A-Za-z0-9_\\-=+/]{0,200}",
        ) {
            let sealing = Sealing::new(&[1; 32]);
            let token = sealing.seal(&held(), &SystemRandom);
            let whole = BASE64.decode(&token).unwrap();
            let cut = cut.min(whole.len());
            let mut spliced = whole[..cut].to_vec();
            spliced.extend_from_slice(&put);
            prop_assume!(spliced != whole);
            prop_assert_eq!(open(&sealing, &BASE64.encode(&spliced)), None);
            prop_assert_eq!(open(&sealing, &text), None);
        }
    }
}
