//! When users' access keys were last used.
//!
//! The server that authenticates a request notes the use in memory; it is stored every now and then,
//! and before any answer reports it. What a server that is killed has not stored by then is forgotten.

use std::sync::Arc;
use std::time::Duration;

use records::iam::KeyUse;
use records::iam::{EntityKind, key_use_row};
use storage::Expect;
use tables::Failure;
use tables::TRIES_MAX;
use tokio::time::MissedTickBehavior;

use super::call::Call;
use super::xml::{group, member};
use super::{Answer, Iam, fault};

/// The time between two writes.
const EVERY: Duration = Duration::from_secs(60);

/// Stores uses.
pub struct KeyUses(Arc<Iam>);

impl KeyUses {
    pub(crate) fn new(iam: Arc<Iam>) -> Self {
        Self(iam)
    }

    /// Works until it is dropped.
    pub async fn run(self) {
        let mut again = tokio::time::interval(EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            if let Err(error) = self.0.write_uses().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "uses of access keys cannot be stored"
                );
            }
        }
    }
}

impl Iam {
    pub(super) async fn key_last_used(&self, call: &Call<'_>) -> Answer {
        let id = call.required("AccessKeyId")?;
        let users = self.entities(EntityKind::User, call.account()).await?;
        let user = users
            .into_iter()
            .find(|user| user.keys.iter().any(|key| key.id == id));
        let Some(user) = user else {
            call.may("*")?;
            return Err(call.denied(&format!("access key {id}")));
        };
        call.may_to(&user)?;
        self.write_uses().await.map_err(fault)?;
        let last = self.rows.get::<KeyUse>(&key_use_row(id)).await;
        let shown = match last.map_err(fault)? {
            Some((last, _)) => {
                member("LastUsedDate", &last.at.to_iso_seconds_text())
                    + &member("ServiceName", &last.service)
                    + &member("Region", &last.region)
            }
            None => member("ServiceName", "N/A") + &member("Region", "N/A"),
        };
        Ok(member("UserName", &user.name) + &group("AccessKeyLastUsed", &shown))
    }

    /// Stores what was noted.
    async fn write_uses(&self) -> Result<(), Failure> {
        for (id, last) in self.identities.take_uses() {
            self.write_use(&key_use_row(&id), &last).await?;
        }
        Ok(())
    }

    async fn write_use(&self, row: &str, last: &KeyUse) -> Result<(), Failure> {
        for _ in 0..TRIES_MAX {
            let expect = match self.rows.get::<KeyUse>(row).await? {
                // Another server has seen a later use.
                Some((known, _)) if known.at >= last.at => return Ok(()),
                Some((_, revision)) => Expect::Revision(revision),
                None => Expect::Absent,
            };
            if self.rows.put(row, last, expect).await?.is_some() {
                return Ok(());
            }
        }
        Err(Failure::Contended {
            key: row.to_owned(),
        })
    }

    /// Forgets a deleted key. If that fails, a row stays that nobody reads.
    pub(super) async fn forget_use(&self, id: &str) {
        // A use that was noted and is not stored yet would be stored later.
        if let Err(error) = self.write_uses().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "uses of access keys are not stored"
            );
        }
        let deleted = self.rows.delete(&key_use_row(id), Expect::Any).await;
        if let Err(error) = deleted {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the use of a deleted access key remains stored"
            );
        }
    }
}
