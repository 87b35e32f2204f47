//! Secrets of users' access keys: made here, kept sealed in their user's row.

use std::sync::Arc;

use api::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use keyring::{Keyring, Sealing};
use serde::{Deserialize, Serialize};
use types::{Random, Timestamp};

/// Makes secrets, and seals them as session tokens are, under a key of their own.
pub(crate) struct UserKeys(Sealing);

/// What is sealed: a secret, and the key it goes with.
#[derive(Serialize, Deserialize)]
struct Held {
    access_key_id: String,
    secret: String,
}

impl UserKeys {
    pub(crate) fn new(keyring: &Arc<Keyring>) -> Self {
        Self(Sealing::new(keyring, "access-keys"))
    }

    /// A new secret, and the same sealed.
    pub(crate) fn make(&self, id: &str, random: &dyn Random) -> (Secret, String) {
        let mut bytes = [0; 30];
        random.fill(&mut bytes);
        let held = Held {
            access_key_id: id.to_owned(),
            secret: BASE64.encode(bytes),
        };
        let sealed = self.0.seal(&held, random);
        (Secret::new(held.secret), sealed)
    }

    /// The secret; `None` if it was not sealed here for that key.
    pub(super) fn open(&self, id: &str, sealed: &str, now: Timestamp) -> Option<Secret> {
        let held: Held = self.0.open(sealed, now)?;
        (held.access_key_id == id).then(|| Secret::new(held.secret))
    }

    /// The same sealed by the newest key; `None` if it is that already, or was not sealed here.
    pub(crate) fn seal_again(
        &self,
        sealed: &str,
        now: Timestamp,
        random: &dyn Random,
    ) -> Option<String> {
        if self.0.is_newest(sealed) {
            return None;
        }
        let held: Held = self.0.open(sealed, now)?;
        Some(self.0.seal(&held, random))
    }
}
