//! After a master key has been rotated: users' access keys that older keys have sealed are sealed again
//! by the newest.

use std::sync::Arc;
use std::time::Duration;

use keyring::{KeyId, Keyring};
use records::iam::{Entity, EntityKind, USERS, entity_key};
use storage::Expect;
use tables::{Failure, TRIES_MAX, decode};
use tokio::time::MissedTickBehavior;
use types::Timestamp;

use super::Iam;

/// The time between two checks of the master keys.
const EVERY: Duration = Duration::from_secs(15);

/// Seals access keys again. Any number of servers may do so at once.
pub struct Resealing {
    iam: Arc<Iam>,
    keyring: Arc<Keyring>,
    /// The newest key when everything was sealed by it.
    settled: Option<KeyId>,
}

impl Resealing {
    pub(crate) fn new(iam: Arc<Iam>, keyring: Arc<Keyring>) -> Self {
        Self {
            iam,
            keyring,
            settled: None,
        }
    }

    /// Works until it is dropped.
    pub async fn run(mut self) {
        let mut again = tokio::time::interval(EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            if let Err(error) = self.look(self.iam.clock.now()).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "users' access keys cannot be sealed by the newest master key"
                );
            }
        }
    }

    /// Reads the master keys and seals what is to be sealed.
    pub(crate) async fn look(&mut self, now: Timestamp) -> Result<(), Failure> {
        self.keyring.read_again(now);
        let keys = self.keyring.keys();
        let newest = keys[0].id();
        if keys.len() == 1 || self.settled == Some(newest) {
            return Ok(());
        }
        let mut users = Vec::new();
        let each = self.iam.rows.each(USERS, |row| {
            let user: Entity = decode(&row)?;
            users.push((user.account, user.name));
            Ok(())
        });
        each.await?;
        for (account, name) in users {
            self.seal(&entity_key(EntityKind::User, &account, &name), now)
                .await?;
        }
        if let Err(error) = self.keyring.note_settled(self.iam.random.as_ref()) {
            tracing::warn!(%error, "cannot record that everything is sealed by the newest master key");
            return Ok(());
        }
        tracing::info!(key = %newest, "every access key is sealed by the newest master key");
        self.settled = Some(newest);
        Ok(())
    }

    async fn seal(&self, row: &str, now: Timestamp) -> Result<(), Failure> {
        let Iam {
            rows,
            random,
            user_keys,
            ..
        } = &*self.iam;
        for _ in 0..TRIES_MAX {
            let Some((mut user, revision)) = rows.get::<Entity>(row).await? else {
                return Ok(());
            };
            let mut changed = false;
            for key in &mut user.keys {
                if let Some(sealed) = user_keys.seal_again(&key.sealed, now, random.as_ref()) {
                    key.sealed = sealed;
                    changed = true;
                }
            }
            let expect = Expect::Revision(revision);
            if !changed || rows.put(row, &user, expect).await?.is_some() {
                return Ok(());
            }
        }
        Err(Failure::Contended {
            key: row.to_owned(),
        })
    }
}
