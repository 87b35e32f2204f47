//! Which streams there are, and for what. A stream that is not found may be one whose servers have just started, and
//! must not be made a second time, empty: whether it was ever made is written down here, in a table of its own.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use storage::{Consistency, Error, Expect, Revision, Row, Table, Watch};

use crate::Rows;

/// Before the name of a stream that somebody is about to delete.
const CLOSING: char = '~';

fn named(row: &Row) -> String {
    let text = String::from_utf8_lossy(&row.value);
    text.trim_start_matches(CLOSING).to_owned()
}

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
        let stream = row.as_ref().map(named);
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

    /// Whether the stream still counts, so that what was put into it is not lost: asked after it was put in. One that
    /// somebody is about to delete is kept from that.
    pub(crate) async fn confirm(&self, what: &str, stream: &str) -> Result<bool, Error> {
        loop {
            let row = self.rows.get(what, Consistency::Strong).await?;
            let Some(row) = row.filter(|row| named(row) == stream) else {
                self.remember(what, None);
                return Ok(false);
            };
            if row.value == stream.as_bytes() {
                return Ok(true);
            }
            match self.reopen(what, stream, row.revision).await {
                Ok(()) => return Ok(true),
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Says that the stream is about to be deleted. Nothing if it is missing, or others are about to change it.
    pub(crate) async fn close(&self, what: &str, stream: &str) -> Result<Option<Revision>, Error> {
        let row = self.rows.get(what, Consistency::Strong).await?;
        let Some(row) = row.filter(|row| named(row) == stream) else {
            return Ok(None);
        };
        let value = Bytes::from(format!("{CLOSING}{stream}"));
        match self
            .rows
            .put(what, value, Expect::Revision(row.revision))
            .await
        {
            Ok(revision) => Ok(Some(revision)),
            Err(Error::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes that back.
    pub(crate) async fn reopen(
        &self,
        what: &str,
        stream: &str,
        closing: Revision,
    ) -> Result<(), Error> {
        let value = Bytes::copy_from_slice(stream.as_bytes());
        let put = self.rows.put(what, value, Expect::Revision(closing));
        put.await.map(drop)
    }

    /// Strikes it out. `false` if it was confirmed meanwhile.
    pub(crate) async fn strike(&self, what: &str, closing: Revision) -> Result<bool, Error> {
        self.remember(what, None);
        match self.rows.delete(what, Expect::Revision(closing)).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What begins with a prefix, and its stream.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<(String, String)>, Error> {
        let rows = self.rows.list(prefix, None, usize::MAX).await?;
        Ok(rows
            .iter()
            .map(|row| (row.key.clone(), named(row)))
            .collect())
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
