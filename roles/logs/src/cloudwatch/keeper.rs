//! Removes what groups no longer keep, in the background.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use records::log_groups::{LOG_GROUPS, LogGroup};
use tables::{Rows, decode};
use tokio::sync::Notify;
use types::{Clock, Scope};

use super::groups::kept_since;
use crate::store::Store;

/// How often groups are checked.
const EVERY: Duration = Duration::from_secs(60);
/// See the module. Dropping its future stops it, which loses nothing.
#[derive(Clone)]
pub struct Keeper {
    rows: Arc<Rows>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    retention_days: Option<u32>,
    changed: Arc<Notify>,
}

impl Keeper {
    pub(super) fn new(
        rows: Arc<Rows>,
        store: Arc<dyn Store>,
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
        let told: BTreeMap<(Scope, String), Option<u32>> = groups
            .map(|group| ((group.scope, group.name), group.retention_days))
            .collect();
        let now = self.clock.now();
        // Groups that no request has named yet have events and no row.
        let since = |scope: &Scope, group: &str| {
            let days = told.get(&(scope.clone(), group.to_owned()));
            kept_since(now, days.copied().flatten().or(self.retention_days))
        };
        self.store.tend(&since).await;
    }
}
