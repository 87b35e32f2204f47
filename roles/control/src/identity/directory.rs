//! Users and roles in memory, for every request asks who signed it.
//!
//! A table tells its watchers of a write before it acknowledges it: whoever asks takes in first
//! what has been told, and so sees every change that was acknowledged before. A watch that has
//! ended is begun anew by the next who asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use api::iam::{Entity, EntityKind, IAM, entity_key};
use policy::{Caller, Context, Form, Permissions, Policy, Verdict};
use storage::{Change, Error, Table, Watch};
use tokio::sync::mpsc::error::TryRecvError;
use types::AccountId;

use crate::iam::managed;

/// An entity, and what it may do.
pub(super) struct Known {
    pub(super) entity: Entity,
    pub(super) permissions: Arc<Permissions>,
}

/// See the module.
pub(super) struct Directory {
    table: Arc<dyn Table>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    watch: Option<Watch>,
    entities: BTreeMap<String, Arc<Known>>,
    /// Access keys, and the rows that have them.
    keys: BTreeMap<String, String>,
}

impl Directory {
    pub(super) fn new(table: Arc<dyn Table>) -> Self {
        Self {
            table,
            state: Mutex::default(),
        }
    }

    /// The role of that name, if anybody has described it.
    pub(super) async fn role(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<Arc<Known>>, Error> {
        self.refresh().await?;
        let key = entity_key(EntityKind::Role, account, name);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(state.entities.get(&key).cloned())
    }

    /// The user who has that access key.
    pub(super) async fn user(&self, access_key: &str) -> Result<Option<Arc<Known>>, Error> {
        self.refresh().await?;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let row = state.keys.get(access_key);
        Ok(row.and_then(|row| state.entities.get(row).cloned()))
    }

    async fn refresh(&self) -> Result<(), Error> {
        if self.take_in() {
            return Ok(());
        }
        loop {
            let mut watch = self.table.watch(IAM).await?;
            let mut fresh = State::default();
            // A watch that ends before it is current was too slow: it begins anew.
            while let Some(change) = watch.recv().await {
                if change != Change::Current {
                    fresh.apply(change);
                    continue;
                }
                fresh.watch = Some(watch);
                *self.state.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
                return Ok(());
            }
        }
    }

    /// Takes in what has been told; `false` if the watch has ended.
    fn take_in(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(watch) = &mut state.watch else {
                return false;
            };
            match watch.try_recv() {
                Ok(change) => state.apply(change),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }
}

impl State {
    fn apply(&mut self, change: Change) {
        let (key, row) = match change {
            Change::Put(row) => (row.key.clone(), Some(row)),
            Change::Delete { key } => (key, None),
            Change::Current => return,
        };
        self.keys.retain(|_, owner| *owner != key);
        self.entities.remove(&key);
        let Some(row) = row else { return };
        let Ok(entity) = serde_json::from_slice::<Entity>(&row.value) else {
            tracing::error!(
                key,
                "a row of a user or role cannot be read and is left out"
            );
            return;
        };
        for access_key in entity.keys.iter().filter(|access_key| access_key.active) {
            self.keys.insert(access_key.id.clone(), key.clone());
        }
        let permissions = Arc::new(permissions(&entity));
        let known = Known {
            entity,
            permissions,
        };
        self.entities.insert(key, Arc::new(known));
    }
}

/// A policy that cannot be read denies everything, so that none of its denials is lost.
fn permissions(entity: &Entity) -> Permissions {
    let read = |text: &str| {
        let policy = Policy::parse(text, Form::Identity);
        Arc::new(policy.unwrap_or_else(|_| Policy::deny_all()))
    };
    let inline = entity.inline.values().map(|text| read(text));
    let attached = entity
        .attached
        .iter()
        .filter_map(|arn| managed(arn))
        .map(|text| read(&text));
    Permissions {
        policies: inline.chain(attached).collect(),
        tags: entity.tags.clone(),
        ..Permissions::NONE
    }
}

/// Whether Lambda may become this role.
pub(crate) fn lambda_may_become(role: &Entity) -> bool {
    let Ok(trust) = Policy::parse(&role.trust, Form::Trust) else {
        return false;
    };
    let lambda = Caller::Service("lambda.amazonaws.com");
    trust.verdict(&lambda, "sts:AssumeRole", "", &Context::new()) == Verdict::Allow
}
