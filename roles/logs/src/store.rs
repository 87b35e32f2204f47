//! What CloudWatch's API needs of the store of streams and events, whichever keeps them.
//!
//! ```text
//!   cloudwatch ─▶ Store ─▶ LogStore      files of this machine (crate::files)
//!                      └─▶ SharedStore   blobs of a cluster, and what its workers have not stored yet (crate::shared)
//! ```

use std::collections::BTreeSet;
use std::io;

use api::logs::StreamName;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{Scope, Timestamp};

use crate::search::{Page, Search, Streams};

/// An event as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// When it happened.
    #[serde(rename = "t")]
    pub time: Timestamp,
    /// When we received it, if that was another time.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub ingested: Option<Timestamp>,
    /// The text.
    #[serde(rename = "m")]
    pub message: String,
}

/// A stream, as far as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamFacts {
    /// Its name.
    pub name: String,
    /// Times are milliseconds since 1970.
    pub created: u64,
    /// Of its first and its last event.
    pub times: Option<(u64, u64)>,
    /// When it last received an event.
    pub ingested: Option<u64>,
}

/// From which time a group's events are kept.
pub type KeptSince<'k> = &'k (dyn Fn(&Scope, &str) -> Timestamp + Send + Sync);

/// Streams and events of log groups. Errors of kind `QuotaExceeded` are the account's, all others the
/// store's.
#[async_trait]
pub trait Store: Send + Sync {
    /// The groups of a scope that may have something in them.
    async fn groups(&self, scope: &Scope) -> io::Result<Vec<String>>;

    /// When the first stream of a group was made, if it has had one since it was deleted.
    async fn group_made(&self, scope: &Scope, group: &str) -> io::Result<Option<Timestamp>>;

    /// Bytes that a group takes.
    async fn group_bytes(&self, scope: &Scope, group: &str) -> io::Result<u64>;

    /// Whether a group has all of these streams.
    async fn has_streams(
        &self,
        scope: &Scope,
        group: &str,
        names: &BTreeSet<String>,
    ) -> io::Result<bool>;

    /// The streams of a group, by name; none if there is no such group.
    async fn describe(
        &self,
        scope: &Scope,
        group: &str,
        streams: Streams,
    ) -> io::Result<Vec<StreamFacts>>;

    /// A page of a group's events.
    async fn search(&self, scope: &Scope, group: &str, search: Search) -> io::Result<Page>;

    /// Stores events and returns when they are stored.
    async fn put(&self, stream: StreamName, lines: Vec<Line>) -> io::Result<()>;

    /// Creates a stream; false if it exists.
    async fn create_stream(&self, stream: StreamName, now: Timestamp) -> io::Result<bool>;

    /// Removes a stream; false if it does not exist.
    async fn delete_stream(&self, stream: StreamName, now: Timestamp) -> io::Result<bool>;

    /// Removes a group and all that is in it. Harmless if there is none.
    async fn delete_group(&self, scope: Scope, group: String, now: Timestamp) -> io::Result<()>;

    /// Removes what is too old and does what else is to be done now and then.
    async fn tend(&self, kept_since: KeptSince<'_>);
}
