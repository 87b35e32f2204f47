//! Users, groups, roles and managed policies in memory, as every request needs to know who signed it.
//!
//! A table sends a write to its watchers before it acknowledges it: each lookup first applies what has
//! been received, and so sees every change that was acknowledged before. A watch that has ended is
//! started again by the next lookup.
//!
//! An entity's permissions are collected on the first request, and again after a change of the entity,
//! of any group or of any managed policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use policy::{Caller, Context, Form, Permissions, Policy, Verdict};
use records::iam::{Entity, EntityKind, IAM, ManagedPolicy, POLICIES, entity_key, policy_row};
use storage::{Change, Error, Row, Table, Watch};
use tokio::sync::mpsc::error::TryRecvError;
use types::{AccountId, FunctionArn, RoleArn};

use crate::iam::managed;

/// An entity, and what it may do.
pub(super) struct Known {
    pub(super) entity: Arc<Entity>,
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
    /// Users, groups and roles by their rows.
    entities: BTreeMap<String, Read>,
    /// Managed policies by their rows.
    policies: BTreeMap<String, Held>,
    /// The rows of groups by their ids: several while one is renamed.
    groups: BTreeMap<String, BTreeSet<String>>,
    /// The rows of users by the ids of their active keys: several while one is renamed.
    keys: BTreeMap<String, BTreeSet<String>>,
    /// Rows of groups and roles that cannot be read.
    damaged: BTreeSet<String>,
    /// The collected permissions, by row.
    known: BTreeMap<String, Arc<Known>>,
}

/// A row, with its own policies read.
struct Read {
    entity: Arc<Entity>,
    inline: Vec<Arc<Policy>>,
}

/// The content of a managed policy.
struct Held {
    /// Its ARN and id; `None` if its row cannot be read.
    named: Option<(String, String)>,
    policy: Arc<Policy>,
}

impl Directory {
    pub(super) fn new(table: Arc<dyn Table>) -> Self {
        Self {
            table,
            state: Mutex::default(),
        }
    }

    /// The role with that ARN, which is `named`, if it is described.
    pub(super) async fn role(
        &self,
        named: &RoleArn<'_>,
        arn: &str,
    ) -> Result<Option<Arc<Known>>, Error> {
        self.refresh().await?;
        let key = entity_key(EntityKind::Role, &named.account, named.name);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // It must not be mistaken for an undescribed one.
        if state.damaged.contains(&key) {
            return Err(Error::Unavailable("the role's row is damaged".into()));
        }
        Ok(state.known(&key).filter(|known| known.entity.arn() == arn))
    }

    /// The user of that name.
    pub(super) async fn user_named(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<Arc<Known>>, Error> {
        self.refresh().await?;
        let key = entity_key(EntityKind::User, account, name);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(state.known(&key))
    }

    /// Managed policies, by ARN and id, that limit a session. A deleted policy denies
    /// everything. Reads the cache without refreshing it.
    pub(super) fn limits(&self, named: &BTreeMap<String, String>) -> Vec<Arc<Policy>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let found = named.iter().map(|(arn, id)| state.managed(arn, id));
        found
            .map(|policy| policy.unwrap_or_else(|| Arc::new(Policy::deny_all())))
            .collect()
    }

    /// The user who has that access key.
    pub(super) async fn user(&self, access_key: &str) -> Result<Option<Arc<Known>>, Error> {
        self.refresh().await?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = state.keys.get(access_key).cloned().unwrap_or_default();
        Ok(rows.iter().find_map(|row| state.known(row)))
    }

    async fn refresh(&self) -> Result<(), Error> {
        if self.take_in() {
            return Ok(());
        }
        loop {
            let mut watch = self.table.watch(IAM).await?;
            let mut fresh = State::default();
            // A watch that ends before it is current was too slow: it is started again.
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

    /// Applies what has been received; `false` if the watch has ended.
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
        if key.starts_with(POLICIES) {
            self.known.clear();
            self.policies.remove(&key);
            if let Some(row) = row {
                self.policies.insert(key, held(&row));
            }
            return;
        }
        self.forget(&key);
        if let Some(row) = row {
            self.learn(key, &row);
        }
    }

    fn forget(&mut self, key: &str) {
        self.damaged.remove(key);
        self.known.remove(key);
        let Some(before) = self.entities.remove(key) else {
            return;
        };
        for access_key in &before.entity.keys {
            remove(&mut self.keys, &access_key.id, key);
        }
        if before.entity.kind == EntityKind::Group {
            remove(&mut self.groups, &before.entity.id, key);
            self.known.clear();
        }
    }

    fn learn(&mut self, key: String, row: &Row) {
        let Ok(entity) = serde_json::from_slice::<Entity>(&row.value) else {
            tracing::error!(
                key,
                "a row of a user, group or role cannot be read and is left out"
            );
            self.damaged.insert(key);
            self.known.clear();
            return;
        };
        for access_key in entity.keys.iter().filter(|access_key| access_key.active) {
            let rows = self.keys.entry(access_key.id.clone()).or_default();
            rows.insert(key.clone());
        }
        if entity.kind == EntityKind::Group {
            let rows = self.groups.entry(entity.id.clone()).or_default();
            rows.insert(key.clone());
            self.known.clear();
        }
        let inline = entity.inline.values().map(|text| read(text)).collect();
        let entity = Arc::new(entity);
        self.entities.insert(key, Read { entity, inline });
    }

    fn known(&mut self, key: &str) -> Option<Arc<Known>> {
        let found = self.there(key)?;
        if let Some(known) = self.known.get(key) {
            return Some(Arc::clone(known));
        }
        let known = Arc::new(Known {
            entity: Arc::clone(&found.entity),
            permissions: Arc::new(self.permissions(found)),
        });
        self.known.insert(key.to_owned(), Arc::clone(&known));
        Some(known)
    }

    /// What is in that row, if it counts.
    fn there(&self, key: &str) -> Option<&Read> {
        let found = self.entities.get(key)?;
        let from = found.entity.moving_from.as_ref();
        let before = from.and_then(|from| self.entities.get(from));
        let there = found.entity.is_there(before.map(|before| &*before.entity));
        there.then_some(found)
    }

    /// A reference to something deleted has no effect; for what cannot be read, everything is denied,
    /// so that none of its denials is lost.
    fn permissions(&self, of: &Read) -> Permissions {
        let mut policies = Vec::new();
        self.add_own(of, &mut policies);
        for id in &of.entity.groups {
            let mut rows = self.groups.get(id).into_iter().flatten();
            let group = rows.find_map(|row| self.there(row));
            match group {
                Some(group) => self.add_own(group, &mut policies),
                None if self.damaged.is_empty() => {}
                None => policies.push(Arc::new(Policy::deny_all())),
            }
        }
        let boundary = of.entity.boundary.as_ref().map(|boundary| {
            let limit = self.managed(&boundary.arn, &boundary.id);
            limit.unwrap_or_else(|| Arc::new(Policy::deny_all()))
        });
        Permissions {
            policies,
            boundary,
            tags: of.entity.tags.clone(),
            ..Permissions::NONE
        }
    }

    fn add_own(&self, of: &Read, policies: &mut Vec<Arc<Policy>>) {
        policies.extend(of.inline.iter().map(Arc::clone));
        let attached = of.entity.attached.iter();
        policies.extend(attached.filter_map(|(arn, id)| self.managed(arn, id)));
    }

    /// The managed policy that a reference means.
    fn managed(&self, arn: &str, id: &str) -> Option<Arc<Policy>> {
        if id.is_empty() {
            return managed(arn).map(|known| Arc::clone(&known.policy));
        }
        let held = self.policies.get(&policy_row(arn)?)?;
        match &held.named {
            Some((named, with)) if named != arn || with != id => None,
            _ => Some(Arc::clone(&held.policy)),
        }
    }
}

fn remove(index: &mut BTreeMap<String, BTreeSet<String>>, id: &str, row: &str) {
    if let Some(rows) = index.get_mut(id) {
        rows.remove(row);
        if rows.is_empty() {
            index.remove(id);
        }
    }
}

fn held(row: &Row) -> Held {
    match serde_json::from_slice::<ManagedPolicy>(&row.value) {
        Ok(policy) => Held {
            policy: read(policy.document().unwrap_or_default()),
            named: Some((policy.arn(), policy.id)),
        },
        Err(_) => {
            tracing::error!(
                key = row.key,
                "a row of a managed policy cannot be read and denies everything"
            );
            Held {
                named: None,
                policy: Arc::new(Policy::deny_all()),
            }
        }
    }
}

/// A policy that cannot be read denies everything, so that none of its denials is lost.
pub(super) fn read(text: &str) -> Arc<Policy> {
    let policy = Policy::parse(text, Form::Identity);
    Arc::new(policy.unwrap_or_else(|_| Policy::deny_all()))
}

/// Whether Lambda may assume this role for that function.
pub(super) fn lambda_may_become(role: &Entity, function: &FunctionArn) -> bool {
    let Ok(trust) = Policy::parse(&role.trust, Form::Trust) else {
        return false;
    };
    let lambda = Caller::Service("lambda.amazonaws.com");
    // For whom a service asks: a role may trust it only on behalf of an account or a function.
    let context = Context::new()
        .with("aws:SourceAccount", function.scope.account.as_str())
        .with("aws:SourceArn", function.to_string());
    let verdict = trust.verdict(&lambda, "sts:AssumeRole", "", &context);
    matches!(verdict, Verdict::Broad | Verdict::Allow)
}
