//! Removes what groups no longer keep, in the background.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use records::log_groups::{LOG_GROUPS, LogGroup};
use tables::{Rows, decode};
use tokio::sync::Notify;
use types::{Clock, Scope, Timestamp};

use super::groups::kept_since;
use crate::store::LogStore;

/// How often groups are checked.
const EVERY: Duration = Duration::from_secs(60);
/// An event may be newer by this than the moment at which its file was written (AWS: 2 hours).
const AHEAD_MAX: Duration = Duration::from_secs(2 * 60 * 60);

/// See the module. Dropping its future stops it, which loses nothing.
pub struct Keeper {
    rows: Arc<Rows>,
    store: Arc<LogStore>,
    clock: Arc<dyn Clock>,
    retention_days: Option<u32>,
    changed: Arc<Notify>,
}

impl Keeper {
    pub(super) fn new(
        rows: Arc<Rows>,
        store: Arc<LogStore>,
        clock: Arc<dyn Clock>,
        retention_days: Option<u32>,
        changed: Arc<Notify>,
    ) -> Self {
        Self {
            rows,
            store,
            clock,
            retention_days,
            changed,
        }
    }

    /// Works until it is dropped.
    pub async fn run(self) {
        let mut again = tokio::time::interval(EVERY);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                _ = again.tick() => {}
            }
            self.look().await;
        }
    }

    async fn look(&self) {
        let rows = match self.rows.all(LOG_GROUPS).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "log groups cannot be listed"
                );
                return;
            }
        };
        // A damaged row is reported when a request reads it.
        let groups = rows.iter().filter_map(|row| decode::<LogGroup>(row).ok());
        let mut told: BTreeMap<(Scope, String), Option<u32>> = groups
            .map(|group| ((group.scope, group.name), group.retention_days))
            .collect();
        // Groups that no request has named yet are files only.
        let reader = self.store.reader();
        let files = tokio::task::spawn_blocking(move || reader.all_groups());
        for group in files.await.ok().and_then(Result::ok).unwrap_or_default() {
            told.entry(group).or_insert(None);
        }
        let ahead = u64::try_from(AHEAD_MAX.as_millis()).unwrap_or(u64::MAX);
        for ((scope, name), days) in told {
            let since = kept_since(self.clock.now(), days.or(self.retention_days));
            let before = Timestamp::from_millis(since.as_millis().saturating_sub(ahead));
            if before > Timestamp::default() {
                self.store.expire(scope, name, before);
            }
        }
    }
}
