//! The partitions that this process leads.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use super::partition::Partition;
use crate::leads::partition_name;

/// See the module. The locks are held for some nanoseconds.
pub(super) struct Led {
    /// By number.
    places: Vec<Mutex<Option<Arc<Partition>>>>,
    /// The names of those that are led, or about to be, or being let go.
    used: watch::Sender<BTreeSet<String>>,
}

impl Led {
    pub(super) fn none_of(partitions: u32, used: watch::Sender<BTreeSet<String>>) -> Self {
        Self {
            places: (0..partitions).map(|_| Mutex::default()).collect(),
            used,
        }
    }

    /// How many partitions there are, led here or not.
    pub(super) fn partitions(&self) -> u32 {
        u32::try_from(self.places.len()).expect("it was made from a u32")
    }

    /// The partition of this number, if it is led here.
    pub(super) fn at(&self, number: u32) -> Option<Arc<Partition>> {
        self.place(number).clone()
    }

    /// All that are led here.
    pub(super) fn all(&self) -> Vec<Arc<Partition>> {
        let numbers = 0..self.partitions();
        numbers.filter_map(|number| self.at(number)).collect()
    }

    /// From here on the lease of a partition is used.
    pub(super) fn begin(&self, number: u32) {
        let name = partition_name(number);
        self.used.send_if_modified(|used| used.insert(name));
    }

    /// From here on a partition is led.
    pub(super) fn lead(&self, partition: Arc<Partition>) {
        let number = partition.number;
        *self.place(number) = Some(partition);
    }

    /// From here on it is not led, and nothing is in progress that needs its lease.
    pub(super) fn end(&self, number: u32) {
        *self.place(number) = None;
        let name = partition_name(number);
        self.used.send_if_modified(|used| used.remove(&name));
    }

    fn place(&self, number: u32) -> MutexGuard<'_, Option<Arc<Partition>>> {
        self.places[number as usize]
            .lock()
            .expect("nothing panics while it holds this lock")
    }
}
