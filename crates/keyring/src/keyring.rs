//! All master keys, as the file has them now.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use types::{Random, Timestamp};

use crate::file::{self, KEYS_MAX};
use crate::master::{KeyId, MasterKey};

/// The shortest time between two reads of the file, milliseconds: a client that sends tokens sealed by
/// unknown keys must not make us read it all the time.
const READ_AGAIN_MS: u64 = 1_000;

/// See the module.
pub struct Keyring {
    /// `None` for keys that are kept elsewhere.
    path: Option<PathBuf>,
    keys: RwLock<Arc<[MasterKey]>>,
    /// When the file was last read.
    read: Mutex<Timestamp>,
}

impl Keyring {
    /// Reads the file. If it does not exist, creates it with one key and mode 0600. A file of another
    /// form, or that others may read, is an error.
    pub fn open(path: &Path, random: &dyn Random) -> io::Result<Self> {
        let keys = match file::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                file::make(path, random)?;
                file::read(path)
            }
            found => found,
        };
        Ok(Self {
            path: Some(path.to_owned()),
            keys: RwLock::new(keys?.into()),
            read: Mutex::default(),
        })
    }

    /// One key of these bytes, which is kept elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self {
            path: None,
            keys: RwLock::new(Arc::from([MasterKey(bytes)])),
            read: Mutex::default(),
        }
    }

    /// The keys, the newest first. Never none.
    pub fn keys(&self) -> Arc<[MasterKey]> {
        let keys = self.keys.read();
        Arc::clone(&keys.unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again: something names a key that is not known here. No more often than once a
    /// second. True if the keys have changed.
    pub fn read_again(&self, now: Timestamp) -> bool {
        let Some(path) = &self.path else {
            return false;
        };
        {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            let soon = now.as_millis().abs_diff(read.as_millis()) < READ_AGAIN_MS;
            if soon {
                return false;
            }
            *read = now;
        }
        // A file that cannot be read now changes nothing: the known keys stay in use.
        let Ok(keys) = file::read(path) else {
            return false;
        };
        let mut known = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let changed = **known != *keys;
        if changed {
            *known = keys.into();
        }
        changed
    }

    /// Notes that nothing that is kept is sealed by a key older than the newest. The older keys may be
    /// retired once what they have sealed and is not kept has expired.
    pub fn note_settled(&self, random: &dyn Random) -> io::Result<()> {
        match &self.path {
            Some(path) => file::note_settled(path, self.keys()[0].id(), random),
            None => Ok(()),
        }
    }

    /// Puts a new key before the others: it seals from now on. Returns its id.
    pub fn rotate(path: &Path, random: &dyn Random) -> io::Result<KeyId> {
        file::change(path, random, |keys| {
            if keys.len() >= KEYS_MAX {
                let problem = format!("there are {KEYS_MAX} keys: retire the old ones first");
                return Err(io::Error::other(problem));
            }
            let key = loop {
                let key = file::fresh(random);
                if keys.iter().all(|known| known.id() != key.id()) {
                    break key;
                }
            };
            let id = key.id();
            keys.insert(0, key);
            Ok(id)
        })
    }

    /// Puts the keys of the file `from` behind those of the file at `path`, which is made if it does not exist: what
    /// they have sealed can be opened here from now on, and the newest key here continues to seal. Returns the ids of
    /// those that were not here.
    pub fn take_in(path: &Path, from: &Path, random: &dyn Random) -> io::Result<Vec<KeyId>> {
        let others = file::read(from)?;
        if !path.try_exists()? {
            file::make_with(path, &others, random)?;
        }
        file::forget_settled(path)?;
        file::change(path, random, |keys| {
            let mut taken = Vec::new();
            for other in others {
                match keys.iter().find(|key| key.id() == other.id()) {
                    Some(known) if *known == other => continue,
                    Some(_) => {
                        let problem =
                            format!("two different master keys have the id {}", other.id());
                        return Err(io::Error::other(problem));
                    }
                    None => taken.push(other.id()),
                }
                keys.push(other);
            }
            match keys.len() <= KEYS_MAX {
                true => Ok(taken),
                false => {
                    let problem =
                        format!("there would be more than {KEYS_MAX} keys: retire old ones first");
                    Err(io::Error::other(problem))
                }
            }
        })
    }

    /// Removes all keys but the newest: what the others have sealed cannot be opened any more. Returns their
    /// ids. Refused while something that is kept is sealed by them, see [`Keyring::note_settled`].
    pub fn retire(path: &Path, random: &dyn Random) -> io::Result<Vec<KeyId>> {
        file::change(path, random, |keys| {
            let old = keys.split_off(1);
            if !old.is_empty() && !file::is_settled(path, keys[0].id())? {
                let problem = "access keys of users are still sealed by an old key: start the server, and try \
                               again a minute later";
                return Err(io::Error::other(problem));
            }
            Ok(old.iter().map(MasterKey::id).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use types::SystemRandom;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_new_key_comes_first_and_is_known_when_it_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let keyring = Keyring::open(&path, &SystemRandom).unwrap();
        let first = keyring.keys()[0].clone();
        assert!(!keyring.read_again(at(10_000)), "nothing has changed");
        let id = Keyring::rotate(&path, &SystemRandom).unwrap();
        assert!(!keyring.read_again(at(10_999)), "too soon");
        assert!(keyring.read_again(at(11_000)));
        let keys = keyring.keys();
        assert_eq!((keys[0].id(), &keys[1]), (id, &first));
        assert!(
            Keyring::retire(&path, &SystemRandom).is_err(),
            "not before all is settled"
        );
        keyring.note_settled(&SystemRandom).unwrap();
        assert_eq!(Keyring::retire(&path, &SystemRandom).unwrap(), [first.id()]);
        let again = Keyring::open(&path, &SystemRandom).unwrap();
        assert_eq!(again.keys().len(), 1);
        assert_ne!(first.derive("a"), first.derive("b"));
    }

    #[test]
    fn a_file_that_is_gone_or_damaged_takes_nothing_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let keyring = Keyring::open(&path, &SystemRandom).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(!keyring.read_again(at(10_000)));
        assert_eq!(keyring.keys().len(), 1);
        assert!(Keyring::rotate(&path, &SystemRandom).is_err());
    }

    #[test]
    fn keys_of_another_file_come_behind_and_open_what_they_have_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        let theirs = Keyring::open(&there, &SystemRandom).unwrap().keys()[0].clone();
        let ours = Keyring::open(&here, &SystemRandom).unwrap();
        ours.note_settled(&SystemRandom).unwrap();
        let taken = Keyring::take_in(&here, &there, &SystemRandom).unwrap();
        assert_eq!(taken, [theirs.id()]);
        let both = [ours.keys()[0].clone(), theirs.clone()];
        assert_eq!(*Keyring::open(&here, &SystemRandom).unwrap().keys(), both);
        assert!(
            Keyring::retire(&here, &SystemRandom).is_err(),
            "the other key may have sealed something"
        );
        let again = Keyring::take_in(&here, &there, &SystemRandom).unwrap();
        assert_eq!(again, []);
        let fresh = folder.path().join("fresh");
        Keyring::take_in(&fresh, &there, &SystemRandom).unwrap();
        assert_eq!(
            *Keyring::open(&fresh, &SystemRandom).unwrap().keys(),
            [theirs]
        );
    }

    #[test]
    fn there_is_a_most() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        Keyring::open(&path, &SystemRandom).unwrap();
        for _ in 1..KEYS_MAX {
            Keyring::rotate(&path, &SystemRandom).unwrap();
        }
        let refused = Keyring::rotate(&path, &SystemRandom).unwrap_err();
        assert!(refused.to_string().contains("retire"), "{refused}");
    }
}
