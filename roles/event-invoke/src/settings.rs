//! The functions' settings for events: rows of the metadata table, kept in memory by
//! watching it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use records::event_invoke::EventInvokeConfig;
use records::functions::{EVENT_INVOKES, FunctionVersion, attached_key};
use storage::{Change, Error, Table};
use tokio::sync::watch;
use types::FunctionArn;

use crate::destination::Destination;
use crate::event::{Receiver, Wanted};
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

impl Wishes {
    /// The destinations for an outcome of `function`.
    pub(crate) fn receivers(&self, function: &FunctionVersion, succeeded: bool) -> Vec<Receiver> {
        if succeeded {
            let told = self.on_success.clone().map(Receiver::Destination);
            return told.into_iter().collect();
        }
        let told = self.on_failure.clone().map(Receiver::Destination);
        let dead_letter = function.configuration.dead_letter_target.as_deref();
        // An ARN that is not a valid target was refused when the function was created.
        let dead_letter = dead_letter.and_then(|arn| Destination::parse(arn).ok());
        let dead_letter = dead_letter.map(Receiver::DeadLetter);
        told.into_iter().chain(dead_letter).collect()
    }

    /// What is to be remembered of them with an event of `function`.
    pub(crate) fn wanted(&self, function: &FunctionVersion) -> Option<Wanted> {
        let to = self.receivers(function, false);
        let usual = to.is_empty() && self.limits == Limits::default();
        (!usual).then(|| Wanted {
            limits: self.limits,
            to,
            role: function.configuration.role.clone(),
        })
    }
}

/// See the module.
pub(crate) struct Settings {
    table: Arc<dyn Table>,
    /// By key.
    rows: RwLock<BTreeMap<String, Wishes>>,
    /// Whether everything that is there has been told.
    current: watch::Sender<bool>,
}

impl Settings {
    pub(crate) fn new(table: Arc<dyn Table>) -> Self {
        Self {
            table,
            rows: RwLock::default(),
            current: watch::Sender::new(false),
        }
    }

    /// Returns once everything that is there is known.
    pub(crate) async fn current(&self) {
        // The sender is here.
        let _ = self.current.subscribe().wait_for(|current| *current).await;
    }

    /// Keeps the rows fresh, until the future is dropped.
    pub(crate) async fn watch(&self) {
        loop {
            match self.follow().await {
                Ok(()) => {
                    tracing::debug!("the watch of event settings fell behind and restarts")
                }
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "event settings cannot be watched; continuing with the last known ones"
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
                        std::mem::take(&mut fresh);
                    self.current.send_replace(true);
                }
                change if !current => apply(&mut fresh, change),
                change => {
                    let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
                    apply(&mut rows, change);
                }
            }
        }
        Ok(())
    }

    /// What holds for events sent to `arn`.
    pub(crate) fn of(&self, arn: &FunctionArn) -> Wishes {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let row = rows.get(&attached_key(EVENT_INVOKES, arn));
        row.cloned().unwrap_or_default()
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

/// Reads a row. If it cannot be read, that is logged, and the defaults apply.
fn read(key: &str, value: &[u8]) -> Option<Wishes> {
    let config: EventInvokeConfig = match serde_json::from_slice(value) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(key, %error, "skipping a row of event settings that cannot be read");
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
