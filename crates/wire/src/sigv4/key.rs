//! Signing keys: four HMACs from the secret down to (day, region, service), remembered.

use std::collections::BTreeMap;
use std::sync::RwLock;

use ring::hmac::{self, HMAC_SHA256};

use super::TERMINATOR;

/// Keys remembered at most. One is about 300 bytes; every environment's temporary credentials
/// may bring one a day, and making one anew costs 3 microseconds, so forgetting all is cheap.
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
    /// The key of `credential`, derived if it is not remembered.
    pub(super) fn get(
        &self,
        credential: &str,
        secret: &str,
        derive: impl FnOnce() -> hmac::Key,
    ) -> hmac::Key {
        // A poisoned lock means a panic between two whole operations: the map itself is sound.
        let known = self
            .0
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(entry) = known.get(credential).filter(|entry| entry.secret == secret) {
            return entry.key.clone();
        }
        drop(known);
        let key = derive();
        let mut known = self
            .0
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if known.len() >= KEYS_MAX {
            known.clear();
        }
        known.insert(
            credential.to_owned(),
            Entry {
                secret: secret.to_owned(),
                key: key.clone(),
            },
        );
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_bounded_and_follows_a_changed_secret() {
        let keys = Keys::default();
        for n in 0..=KEYS_MAX {
            keys.get(&n.to_string(), "s", || hmac::Key::new(HMAC_SHA256, b"x"));
        }
        assert!(keys.0.read().unwrap().len() <= KEYS_MAX);
        let old = keys.get("id", "one", || derive("one", "20150830", "r", "s"));
        let new = keys.get("id", "two", || derive("two", "20150830", "r", "s"));
        assert_ne!(
            hmac::sign(&old, b"m").as_ref(),
            hmac::sign(&new, b"m").as_ref()
        );
    }
}
