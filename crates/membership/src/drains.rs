//! What an operator tells hosts: to drain, or to drain no more.

use std::sync::Arc;

use bytes::Bytes;
use storage::{Error, Expect, Table};

use crate::DRAIN;

/// Writes it down for all to see.
#[derive(Clone)]
pub struct Drains(Arc<dyn Table>);

impl Drains {
    /// `table` is the one that keepers watch.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self(table)
    }

    /// From now on the workers of this host drain. Harmless if they do already.
    pub async fn drain(&self, host: &str) -> Result<(), Error> {
        let value = Bytes::from_static(b"{}");
        self.0.put(&key(host), value, Expect::Any).await?;
        Ok(())
    }

    /// They drain no more. Harmless if they do not.
    pub async fn undo(&self, host: &str) -> Result<(), Error> {
        self.0.delete(&key(host), Expect::Any).await
    }
}

fn key(host: &str) -> String {
    format!("{DRAIN}{host}")
}
