//! What is derived from each master key for one purpose: made when the keys have changed, and not for each use.

use std::sync::{Arc, PoisonError, RwLock};

use types::Timestamp;

use crate::keyring::Keyring;
use crate::master::{KeyId, MasterKey};

/// See the module. `K` is what is made of a master key.
pub struct Derived<K> {
    keyring: Arc<Keyring>,
    derive: Box<dyn Fn(&MasterKey) -> K + Send + Sync>,
    made: RwLock<Made<K>>,
}

/// The derived keys, and of which master keys.
struct Made<K> {
    of: Arc<[MasterKey]>,
    keys: Keys<K>,
}

/// The newest first, each with the id of its master key. Never none.
pub type Keys<K> = Arc<[(KeyId, K)]>;

impl<K> Derived<K> {
    /// Made by `derive` of each of the keyring's keys.
    pub fn new(
        keyring: &Arc<Keyring>,
        derive: impl Fn(&MasterKey) -> K + Send + Sync + 'static,
    ) -> Self {
        Self {
            made: RwLock::new(make(keyring.keys(), &derive)),
            keyring: Arc::clone(keyring),
            derive: Box::new(derive),
        }
    }

    /// Those of the current keys.
    pub fn keys(&self) -> Keys<K> {
        let of = self.keyring.keys();
        {
            let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&made.of, &of) {
                return Arc::clone(&made.keys);
            }
        }
        let made = make(of, &self.derive);
        let keys = Arc::clone(&made.keys);
        *self.made.write().unwrap_or_else(PoisonError::into_inner) = made;
        keys
    }

    /// Those of the current keys, after the file was read again if none has this id.
    pub(crate) fn keys_with(&self, id: KeyId, now: Timestamp) -> Keys<K> {
        let keys = self.keys();
        let known = keys.iter().any(|(known, _)| *known == id);
        if !known && self.keyring.read_again(now) {
            return self.keys();
        }
        keys
    }
}

fn make<K>(of: Arc<[MasterKey]>, derive: impl Fn(&MasterKey) -> K) -> Made<K> {
    let keys = of.iter().map(|master| (master.id(), derive(master)));
    let keys = keys.collect();
    Made { of, keys }
}
