//! All function URLs by their ids. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use records::urls::Url;
use storage::Row;

/// The order of the maps never matters.
#[derive(Default)]
pub(super) struct Urls {
    by_id: HashMap<String, Arc<Url>>,
    /// The id in each row, for when the row is deleted.
    rows: HashMap<String, String>,
}

impl Urls {
    /// Takes in a row, or that it is gone; `None` if it cannot be read.
    pub(super) fn apply(&mut self, key: &str, row: Option<&Row>) -> Option<()> {
        let url = match row {
            None => None,
            Some(row) => Some(serde_json::from_slice::<Url>(&row.value).ok()?),
        };
        if let Some(id) = self.rows.remove(key) {
            self.by_id.remove(&id);
        }
        if let Some(url) = url {
            self.rows.insert(key.to_owned(), url.id.clone());
            self.by_id.insert(url.id.clone(), Arc::new(url));
        }
        Some(())
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Url>> {
        self.by_id.get(id).cloned()
    }
}
