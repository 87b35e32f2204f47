//! How functions want their events to be treated: rows of the metadata table, kept in memory by
//! watching it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api::event_invoke::EventInvokeConfig;
use api::functions::{EVENT_INVOKES, attached_key};
use storage::{Change, Consistency, Error, Table};
use types::FunctionArn;

use crate::destination::Destination;
use crate::retry::Limits;

/// After the table failed, the watch is begun again so much later.
const RETRY: Duration = Duration::from_millis(200);

/// What a function wants for events sent to one of its qualifiers.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Wishes {
    pub(crate) limits: Limits,
    pub(crate) on_success: Option<Destination>,
    pub(crate) on_failure: Option<Destination>,
}

/// See the module.
pub(crate) struct Settings {
    table: Arc<dyn Table>,
    /// By key. `None` until everything that is there has been told.
    rows: RwLock<Option<BTreeMap<String, Wishes>>>,
}

impl Settings {
    pub(crate) fn new(table: Arc<dyn Table>) -> Self {
        Self {
            table,
            rows: RwLock::default(),
        }
    }

    /// Keeps the rows fresh, until the future is dropped.
    pub(crate) async fn watch(&self) {
        loop {
            match self.follow().await {
                Ok(()) => {
                    tracing::debug!("the watch of event settings fell behind and begins anew")
                }
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "event settings cannot be watched; going on with what is known"
                ),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow(&self) -> Result<(), Error> {
        let mut changes = self.table.watch(EVENT_INVOKES).await?;
        // What was deleted while nobody watched is not in it, and goes when it takes the old one's place.
        let mut fresh = BTreeMap::new();
        let mut current = false;
        while let Some(change) = changes.recv().await {
            match change {
                Change::Current => {
                    current = true;
                    *self.rows.write().unwrap_or_else(PoisonError::into_inner) =
                        Some(std::mem::take(&mut fresh));
                }
                change if !current => apply(&mut fresh, change),
                change => {
                    let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
                    apply(rows.get_or_insert_default(), change);
                }
            }
        }
        Ok(())
    }

    /// What holds for events sent to `arn`.
    pub(crate) async fn of(&self, arn: &FunctionArn) -> Result<Wishes, Error> {
        let key = attached_key(EVENT_INVOKES, arn);
        let known = {
            let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
            rows.as_ref().map(|rows| rows.get(&key).cloned())
        };
        if let Some(known) = known {
            return Ok(known.unwrap_or_default());
        }
        // Not all is known yet, right after the start.
        let row = self.table.get(&key, Consistency::Strong).await?;
        let wishes = row.and_then(|row| read(&key, &row.value));
        Ok(wishes.unwrap_or_default())
    }
}

fn apply(rows: &mut BTreeMap<String, Wishes>, change: Change) {
    match change {
        Change::Put(row) => match read(&row.key, &row.value) {
            Some(wishes) => drop(rows.insert(row.key, wishes)),
            None => drop(rows.remove(&row.key)),
        },
        Change::Delete { key } => drop(rows.remove(&key)),
        Change::Current => {}
    }
}

/// Reads a row. One that cannot be read is told of, and the defaults hold.
fn read(key: &str, value: &[u8]) -> Option<Wishes> {
    let config: EventInvokeConfig = match serde_json::from_slice(value) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(key, %error, "a row of event settings cannot be read and is left out");
            return None;
        }
    };
    let destination = |arn: Option<String>| {
        let parsed = arn.as_deref().map(Destination::parse)?;
        if let Err(error) = &parsed {
            tracing::error!(key, %error, "a destination cannot be used");
        }
        parsed.ok()
    };
    let defaults = Limits::default();
    let age = config.event_age_seconds_max.map(u64::from);
    Some(Wishes {
        limits: Limits {
            retries_max: config.retry_attempts_max.unwrap_or(defaults.retries_max),
            age_max: age.map_or(defaults.age_max, Duration::from_secs),
        },
        on_success: destination(config.on_success),
        on_failure: destination(config.on_failure),
    })
}
