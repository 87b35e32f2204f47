//! Rows in the order of their keys, in memory, and the watchers who are sent every change. For stores that have no
//! ordered list or no watch of their own.

use std::collections::BTreeMap;
use std::ops::Bound;

use tokio::sync::mpsc;

use crate::table::WATCH_BACKLOG;
use crate::{Change, Row, Watch};

/// See the module.
#[derive(Debug, Default)]
pub struct WatchedRows {
    rows: BTreeMap<String, Row>,
    watchers: Vec<(String, mpsc::Sender<Change>)>,
}

impl WatchedRows {
    /// The row with that key.
    pub fn get(&self, key: &str) -> Option<&Row> {
        self.rows.get(key)
    }

    /// The row is now like this.
    pub fn put(&mut self, row: Row) {
        self.rows.insert(row.key.clone(), row.clone());
        self.send(&row.key.clone(), &Change::Put(row));
    }

    /// The row is deleted. Nobody is sent anything if it did not exist.
    pub fn remove(&mut self, key: &str) {
        if let Some(row) = self.rows.remove(key) {
            self.send(key, &Change::Delete { key: row.key });
        }
    }

    /// Rows under a prefix by key, after that key.
    pub fn under(&self, prefix: &str, after: Option<&str>) -> impl Iterator<Item = &Row> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let rows = self.rows.range::<str, _>((from, Bound::Unbounded));
        let prefix = prefix.to_owned();
        rows.take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(_, row)| row)
    }

    /// The rows under a prefix, the mark after them, then every change.
    pub fn watch(&mut self, prefix: &str) -> Watch {
        let rows: Vec<Row> = self.under(prefix, None).cloned().collect();
        let (sender, receiver) = mpsc::channel(rows.len() + 1 + WATCH_BACKLOG);
        for change in rows.into_iter().map(Change::Put).chain([Change::Current]) {
            sender
                .try_send(change)
                .expect("the channel was made for all of them");
        }
        // Watchers that left while nothing changed under their prefix are not noticed otherwise.
        self.watchers.retain(|(_, watcher)| !watcher.is_closed());
        self.watchers.push((prefix.to_owned(), sender));
        receiver
    }

    fn send(&mut self, key: &str, change: &Change) {
        // A watcher whose channel is full or closed is dropped: it starts again.
        self.watchers.retain(|(prefix, watcher)| {
            !key.starts_with(prefix.as_str()) || watcher.try_send(change.clone()).is_ok()
        });
    }
}
