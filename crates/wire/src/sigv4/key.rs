//! Signing keys: four HMACs from the secret down to (day, region, service), remembered.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use ring::hmac::{self, HMAC_SHA256};

use super::TERMINATOR;

/// Keys remembered at most. One is about 300 bytes; every environment's temporary credentials
/// may bring one a day, and deriving one again costs 3 microseconds, so forgetting all is cheap.
const KEYS_MAX: usize = 4_096;

/// Derives the key that signs for `date` (`YYYYMMDD`), region and service.
pub(super) fn derive(secret: &str, date: &str, region: &str, service: &str) -> hmac::Key {
    let first = hmac::Key::new(HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    let step = |key: &hmac::Key, text: &str| {
        hmac::Key::new(HMAC_SHA256, hmac::sign(key, text.as_bytes()).as_ref())
    };
    let dated = step(&first, date);
    let regional = step(&dated, region);
    step(&step(&regional, service), TERMINATOR)
}

/// Derived keys by credential (`id/date/region/service/aws4_request`).
#[derive(Default)]
pub(super) struct Keys(RwLock<BTreeMap<String, Entry>>);

struct Entry {
    /// A key id may be given another secret; then the remembered key is of no use.
    secret: String,
    key: hmac::Key,
}

impl Keys {
    /// The key of `credential`, if it is remembered.
    pub(super) fn find(&self, credential: &str, secret: &str) -> Option<hmac::Key> {
        // A poisoned lock means a panic between two whole operations: the map itself is sound.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(credential)?;
        (entry.secret == secret).then(|| entry.key.clone())
    }

    /// Remembers the key of a credential by which somebody has signed: what is made up is not
    /// remembered.
    pub(super) fn remember(&self, credential: &str, secret: &str, key: hmac::Key) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEYS_MAX {
            known.clear();
        }
        let secret = secret.to_owned();
        known.insert(credential.to_owned(), Entry { secret, key });
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_bounded_and_follows_a_changed_secret() {
        let keys = Keys::default();
        for n in 0..=KEYS_MAX {
            keys.remember(&n.to_string(), "s", hmac::Key::new(HMAC_SHA256, b"x"));
        }
        assert!(keys.len() <= KEYS_MAX);
        keys.remember("id", "one", derive("one", "20150830", "r", "s"));
        assert!(keys.find("id", "one").is_some());
        assert!(keys.find("id", "two").is_none());
    }
}
