//! One master key. Keys for each purpose are derived from it.

use std::fmt;

use ring::hmac;

/// Bytes of a master key, and of those derived from it.
pub(crate) const BYTES: usize = 32;

/// Distinguishes keys, and reveals nothing about them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; Self::BYTES]);

impl KeyId {
    /// There are few keys, so four bytes are enough; a key whose id is in use is not taken
    /// ([`crate::Keyring::rotate`]).
    pub(crate) const BYTES: usize = 4;
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// See the module. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(pub(crate) [u8; BYTES]);

impl MasterKey {
    /// The key for one purpose.
    pub fn derive(&self, purpose: &str) -> [u8; BYTES] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, purpose.as_bytes());
        tag.as_ref()
            .try_into()
            .expect("HMAC-SHA-256 makes 32 bytes")
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        let derived = self.derive("key-id");
        let mut id = [0; KeyId::BYTES];
        id.copy_from_slice(&derived[..KeyId::BYTES]);
        KeyId(id)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}
