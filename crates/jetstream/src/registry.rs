//! Which streams there are, and for what. A stream that is not found may be one whose servers have just started, and
//! must not be made a second time, empty: whether it was ever made is written down here, in a table of its own.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use storage::{Consistency, Error, Expect, Table, Watch};

use crate::Rows;

/// The streams by what they are for.
pub(crate) struct Registry {
    rows: Rows,
    known: Mutex<HashMap<String, String>>,
}

impl Registry {
    pub(crate) fn new(rows: Rows) -> Self {
        Self {
            rows,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.known
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    /// The stream, as far as it is remembered: it may be gone by now.
    pub(crate) async fn find(&self, what: &str) -> Result<Option<String>, Error> {
        let known = self.known().get(what).cloned();
        match known {
            Some(stream) => Ok(Some(stream)),
            None => self.find_now(what).await,
        }
    }

    /// The stream as it is written down now.
    pub(crate) async fn find_now(&self, what: &str) -> Result<Option<String>, Error> {
        let row = self.rows.get(what, Consistency::Strong).await?;
        let stream = row.map(|row| String::from_utf8_lossy(&row.value).into_owned());
        self.remember(what, stream.as_deref());
        Ok(stream)
    }

    /// Writes a stream down, which is there already. Answers the one that counts, which is another if somebody was
    /// faster.
    pub(crate) async fn claim(&self, what: &str, stream: &str) -> Result<String, Error> {
        let value = Bytes::copy_from_slice(stream.as_bytes());
        match self.rows.put(what, value, Expect::Absent).await {
            Ok(_) => {
                self.remember(what, Some(stream));
                Ok(stream.to_owned())
            }
            Err(Error::Conflict { key }) => {
                let found = self.find_now(what).await?;
                found.ok_or(Error::Conflict { key })
            }
            Err(error) => Err(error),
        }
    }

    /// Strikes a stream out, unless another has its place. `false` if it was not there.
    pub(crate) async fn strike(&self, what: &str, stream: &str) -> Result<bool, Error> {
        let row = self.rows.get(what, Consistency::Strong).await?;
        self.remember(what, None);
        let Some(row) = row.filter(|row| row.value == stream.as_bytes()) else {
            return Ok(false);
        };
        match self.rows.delete(what, Expect::Revision(row.revision)).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What begins with a prefix, and its stream.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<(String, String)>, Error> {
        let rows = self.rows.list(prefix, None, usize::MAX).await?;
        let named = rows.into_iter().map(|row| {
            let stream = String::from_utf8_lossy(&row.value).into_owned();
            (row.key, stream)
        });
        Ok(named.collect())
    }

    /// Tells when something below a prefix changes.
    pub(crate) async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        self.rows.watch(prefix).await
    }

    fn remember(&self, what: &str, stream: Option<&str>) {
        match stream {
            Some(stream) => self.known().insert(what.to_owned(), stream.to_owned()),
            None => self.known().remove(what),
        };
    }
}
