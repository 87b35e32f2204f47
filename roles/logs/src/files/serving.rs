//! The files as CloudWatch's API sees them: reading happens outside the tasks that serve requests.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use api::logs::StreamName;
use async_trait::async_trait;
use tokio::sync::oneshot;
use types::{Scope, Timestamp};

use super::LogStore;
use super::reader::LogReader;
use super::writer::Command;
use crate::search::{Page, Search, Streams};
use crate::store::{KeptSince, Line, Store, StreamFacts};

/// Files that cannot be read within this are not waited for.
const READ_WITHIN: Duration = Duration::from_secs(60);
/// An event may be newer by this than the moment at which its file was written (AWS: 2 hours).
const AHEAD_MAX: u64 = 2 * 60 * 60 * 1000;

impl LogStore {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(LogReader) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        // Never closed, so a permit is always available in the end.
        let turn = Arc::clone(&self.readings).acquire_owned().await.ok();
        let reader = self.reader.clone();
        let work = tokio::task::spawn_blocking(move || {
            // Held by the work itself: it continues when its caller has gone.
            let _turn = turn;
            work(reader)
        });
        let done = tokio::time::timeout(READ_WITHIN, work).await;
        let done = done.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        done.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }

    /// The same for one group.
    async fn read_group<T: Send + 'static>(
        &self,
        (scope, group): (&Scope, &str),
        work: impl FnOnce(LogReader, &Scope, &str) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (scope, group) = (scope.clone(), group.to_owned());
        self.read(move |reader| work(reader, &scope, &group)).await
    }
}

#[async_trait]
impl Store for LogStore {
    async fn groups(&self, scope: &Scope) -> io::Result<Vec<String>> {
        let scope = scope.clone();
        self.read(move |reader| reader.groups(&scope)).await
    }

    async fn group_made(&self, scope: &Scope, group: &str) -> io::Result<Option<Timestamp>> {
        let made = |reader: LogReader, scope: &Scope, group: &str| reader.group_made(scope, group);
        self.read_group((scope, group), made).await
    }

    async fn group_bytes(&self, scope: &Scope, group: &str) -> io::Result<u64> {
        let bytes =
            |reader: LogReader, scope: &Scope, group: &str| reader.group_bytes(scope, group);
        self.read_group((scope, group), bytes).await
    }

    async fn has_streams(
        &self,
        scope: &Scope,
        group: &str,
        names: &BTreeSet<String>,
    ) -> io::Result<bool> {
        let names = names.clone();
        self.read_group((scope, group), move |reader, scope, group| {
            let there = reader.streams(scope, group)?;
            Ok(names.iter().all(|name| there.contains(name)))
        })
        .await
    }

    async fn describe(
        &self,
        scope: &Scope,
        group: &str,
        streams: Streams,
    ) -> io::Result<Vec<StreamFacts>> {
        self.read_group((scope, group), move |reader, scope, group| {
            reader.describe(scope, group, &streams)
        })
        .await
    }

    async fn search(&self, scope: &Scope, group: &str, search: Search) -> io::Result<Page> {
        self.read_group((scope, group), move |reader, scope, group| {
            reader.search(scope, group, &search)
        })
        .await
    }

    async fn put(&self, stream: StreamName, lines: Vec<Line>) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.ask(Command::Put(stream, lines, done), answer).await
    }

    async fn create_stream(&self, stream: StreamName, now: Timestamp) -> io::Result<bool> {
        let (done, answer) = oneshot::channel();
        let create = Command::CreateStream(stream, now, done);
        self.ask(create, answer).await
    }

    async fn delete_stream(&self, stream: StreamName, _: Timestamp) -> io::Result<bool> {
        let (done, answer) = oneshot::channel();
        self.ask(Command::DeleteStream(stream, done), answer).await
    }

    async fn delete_group(&self, scope: Scope, group: String, _: Timestamp) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        let delete = Command::DeleteGroup(scope, group, done);
        self.ask(delete, answer).await
    }

    async fn tend(&self, kept_since: KeptSince<'_>) {
        let groups = self.read(|reader| reader.all_groups()).await;
        for (scope, group) in groups.unwrap_or_default() {
            let since = kept_since(&scope, &group);
            let before = Timestamp::from_millis(since.as_millis().saturating_sub(AHEAD_MAX));
            if before > Timestamp::default()
                && let Some(sender) = &self.sender
            {
                // If there is no room for it, it is repeated before long.
                let _ = sender.try_send(Command::Expire(scope, group, before));
            }
        }
    }
}
