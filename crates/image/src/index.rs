//! What is unpacked, how much room it takes, and which of it goes first. Pure.
//!
//! What somebody holds never goes: it is mounted in a sandbox, or about to be. Of the rest what was used longest
//! ago goes, as soon as all together take more room than they may.

use std::collections::HashMap;
use std::sync::Arc;

use types::AccountId;

/// Whose, and the name of the package or of what was made of several.
pub(crate) type Key = (AccountId, String);

/// Keeps a folder from going for as long as it lives.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    /// Its count is how many hold it; the index has one itself.
    _held: Arc<()>,
    /// What it is made of is held, too.
    _parts: Vec<Hold>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: HashMap<Key, Entry>,
    bytes: u64,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    bytes: u64,
    /// Which use of all was its last.
    used: u64,
    held: Arc<()>,
}

impl Entry {
    fn is_free(&self) -> bool {
        Arc::strong_count(&self.held) == 1
    }
}

impl Index {
    /// Notes that there is a folder, and that it is used now. `bytes` counts only if it is new here.
    pub(crate) fn hold(
        &mut self,
        account: &AccountId,
        name: &str,
        bytes: u64,
        parts: Vec<Hold>,
    ) -> Hold {
        self.uses += 1;
        let entry = self.entries.entry((account.clone(), name.to_owned()));
        let entry = entry.or_insert_with(|| {
            self.bytes += bytes;
            let (used, held) = (0, Arc::default());
            Entry { bytes, used, held }
        });
        entry.used = self.uses;
        Hold {
            _held: Arc::clone(&entry.held),
            _parts: parts,
        }
    }

    /// Bytes of all.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Those that nobody holds, each with the use that was its last.
    pub(crate) fn free(&self) -> Vec<(Key, u64)> {
        let free = self.entries.iter().filter(|(_, entry)| entry.is_free());
        free.map(|(key, entry)| (key.clone(), entry.used)).collect()
    }

    /// Forgets one that nobody has used since; false if somebody has.
    pub(crate) fn forget(&mut self, key: &Key, used: u64) -> bool {
        let unused = |entry: &&Entry| entry.is_free() && entry.used == used;
        let Some(entry) = self.entries.get(key).filter(unused) else {
            return false;
        };
        self.bytes -= entry.bytes;
        self.entries.remove(key);
        true
    }

    /// Those that must go for all to take no more than `max` bytes, the one used longest ago first. They are
    /// forgotten here. Those that are held stay, whatever they take.
    pub(crate) fn victims(&mut self, max: u64) -> Vec<Key> {
        let mut victims = Vec::new();
        if self.bytes <= max {
            return victims;
        }
        let mut free = self.free();
        free.sort_unstable_by_key(|(_, used)| *used);
        for (key, used) in free {
            if self.bytes <= max {
                break;
            }
            self.forget(&key, used);
            victims.push(key);
        }
        victims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        AccountId::new("123456789012").unwrap()
    }

    fn put(index: &mut Index, name: &str) -> Hold {
        index.hold(&account(), name, 10, Vec::new())
    }

    fn victims(index: &mut Index, max: u64) -> Vec<String> {
        let victims = index.victims(max);
        victims.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut index = Index::default();
        for name in ["a", "b", "c", "d"] {
            put(&mut index, name);
        }
        put(&mut index, "a");
        assert_eq!(index.bytes(), 40);
        assert_eq!(victims(&mut index, 40), [""; 0]);
        assert_eq!(victims(&mut index, 20), ["b", "c"]);
        assert_eq!(index.bytes(), 20);
    }

    #[test]
    fn what_is_held_stays_and_what_it_is_made_of_too() {
        let mut index = Index::default();
        let parts = ["a", "b"].map(|name| put(&mut index, name)).to_vec();
        let merged = index.hold(&account(), "ab", 0, parts);
        let other = put(&mut index, "c");
        assert_eq!(victims(&mut index, 0), [""; 0]);
        drop(other);
        assert_eq!(victims(&mut index, 0), ["c"]);
        drop(merged);
        let mut all = victims(&mut index, 0);
        all.sort();
        assert_eq!(all, ["a", "b"]);
        assert_eq!(index.bytes(), 0);
    }

    #[test]
    fn each_account_has_its_own() {
        let mut index = Index::default();
        put(&mut index, "a");
        let other = AccountId::new("000000000000").unwrap();
        index.hold(&other, "a", 5, Vec::new());
        assert_eq!(index.bytes(), 15);
    }
}
