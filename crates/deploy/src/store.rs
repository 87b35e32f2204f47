//! Where the records of stacks are: an endpoint of the server's own.
//!
//! ```text
//!   GET    /lambent/stacks/<name>                 {"Revision": n, "Record": {…}}, or 404
//!   PUT    /lambent/stacks/<name>?revision=<n>    {…}; without a revision: there must be none yet
//!   DELETE /lambent/stacks/<name>?revision=<n>
//! ```

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use crate::api::{Api, Call, Error, ask};
use crate::record::Record;

/// One stack's record, and which of its states was seen last: a write based on an older state
/// is refused.
pub struct Store {
    api: Arc<dyn Api>,
    path: String,
    revision: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    revision: u64,
    #[serde(default)]
    record: Option<Record>,
}

impl Store {
    /// For a stack.
    pub fn new(api: Arc<dyn Api>, stack: &str) -> Self {
        Self {
            api,
            path: format!("/lambent/stacks/{}", wire::uri::encode(stack)),
            revision: None,
        }
    }

    /// The record; `None` if there is no such stack.
    pub async fn load(&mut self) -> Result<Option<Record>, Error> {
        match self.ask(Method::GET, Bytes::new()).await {
            Ok(stored) => {
                self.revision = Some(stored.revision);
                Ok(Some(stored.record.unwrap_or_default()))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it.
    pub(crate) async fn save(&mut self, record: &Record) -> Result<(), Error> {
        let body = serde_json::to_vec(record).expect("records are texts, numbers and maps");
        let stored = self.ask(Method::PUT, Bytes::from(body)).await?;
        self.revision = Some(stored.revision);
        Ok(())
    }

    /// Ends it.
    pub async fn delete(&mut self) -> Result<(), Error> {
        self.ask(Method::DELETE, Bytes::new()).await?;
        self.revision = None;
        Ok(())
    }

    async fn ask(&self, method: Method, body: Bytes) -> Result<Stored, Error> {
        let mut target = self.path.clone();
        if let Some(revision) = self.revision.filter(|_| method != Method::GET) {
            target.push_str(&format!("?revision={revision}"));
        }
        let call = Call {
            service: "lambda",
            method,
            target,
            headers: Vec::new(),
            body,
        };
        let answer = ask(self.api.as_ref(), call).await?;
        if answer.body.is_empty() {
            return Ok(Stored {
                revision: 0,
                record: None,
            });
        }
        serde_json::from_slice(&answer.body).map_err(|_| Error::Answer(self.path.clone()))
    }
}
