//! What was read of blobs that never change, as far as there is room: who follows a group reads each of them once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// Values by the names of their blobs.
pub(super) struct Cache<T> {
    bytes_max: usize,
    held: Mutex<Held<T>>,
}

struct Held<T> {
    values: HashMap<String, (Arc<T>, usize, u64)>,
    /// Names in the order of their last use.
    uses: BTreeMap<u64, String>,
    count: u64,
    bytes: usize,
}

impl<T> Cache<T> {
    /// An empty one with so much room.
    pub(super) fn new(bytes_max: usize) -> Self {
        let held = Held {
            values: HashMap::new(),
            uses: BTreeMap::new(),
            count: 0,
            bytes: 0,
        };
        Self {
            bytes_max,
            held: Mutex::new(held),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<T>> {
        let mut held = self
            .held
            .lock()
            .expect("no code panics while it holds this");
        let Held {
            values,
            uses,
            count,
            ..
        } = &mut *held;
        let (value, _, used) = values.get_mut(name)?;
        *count += 1;
        uses.remove(used);
        uses.insert(*count, name.to_owned());
        *used = *count;
        Some(Arc::clone(value))
    }

    /// Adds what a blob says, which takes so much room.
    pub(super) fn put(&self, name: &str, value: Arc<T>, bytes: usize) {
        let mut held = self
            .held
            .lock()
            .expect("no code panics while it holds this");
        held.count += 1;
        let count = held.count;
        let before = held.values.insert(name.to_owned(), (value, bytes, count));
        if let Some((_, bytes, used)) = before {
            held.bytes -= bytes;
            held.uses.remove(&used);
        }
        held.bytes += bytes;
        held.uses.insert(count, name.to_owned());
        while held.bytes > self.bytes_max
            && let Some((_, oldest)) = held.uses.pop_first()
        {
            if let Some((_, bytes, _)) = held.values.remove(&oldest) {
                held.bytes -= bytes;
            }
        }
    }
}
