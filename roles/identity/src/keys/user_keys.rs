//! Secrets of users' access keys: made here, kept sealed in their user's row.

use api::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use types::Random;

use super::MasterSecret;
use super::sealed::Sealing;

/// Makes secrets, and seals them as session tokens are, under a key of their own.
pub(crate) struct UserKeys(Sealing);

/// What is sealed: a secret, and the key it goes with.
#[derive(Serialize, Deserialize)]
struct Held {
    access_key_id: String,
    secret: String,
}

impl UserKeys {
    pub(crate) fn new(master: &MasterSecret) -> Self {
        Self(Sealing::new(&master.derive("access-keys")))
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
    pub(super) fn open(&self, id: &str, sealed: &str) -> Option<Secret> {
        let held: Held = self.0.open(sealed)?;
        (held.access_key_id == id).then(|| Secret::new(held.secret))
    }
}
