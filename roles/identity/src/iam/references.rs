//! What has a policy or is in a group, and what that prevents from being deleted.
//!
//! ```text
//!   attach                                 delete
//!   1  write the reference                 1  read what to delete, at revision r
//!   2  rewrite what is referred to,        2  look for references: any is a conflict
//!      unchanged; deleted: undo 1          3  delete at revision r; changed: from 1
//! ```
//!
//! Either the deletion searches after the reference was written, and finds it. Or it searched before:
//! then it had also read before, and of the two writes of the one row, attach's second and the
//! deletion's third, the later fails. A crash between 1 and 2 of attach leaves a reference that was
//! never acknowledged; if its target is deleted, it means nothing ([`records::iam`]).

use std::collections::{BTreeMap, BTreeSet};

use records::iam::{Entity, EntityKind, ManagedPolicy, entity_key, policy_key, policy_row};
use serde::Deserialize;
use serde_json::value::RawValue;
use storage::{Expect, Revision};
use tables::TRIES_MAX;
use types::AccountId;
use wire::query::QueryError;

use super::call::Call;
use super::managed::{AwsPolicy, managed};
use super::xml::Uses;
use super::{Iam, contended, fault, invalid_input, no_such};

/// All kinds that can have policies.
pub(super) const KINDS: [EntityKind; 3] = [EntityKind::User, EntityKind::Group, EntityKind::Role];

/// A managed policy, the customer's own or AWS's.
pub(super) enum Managed {
    Own(ManagedPolicy, Revision),
    Aws(&'static AwsPolicy),
}

impl Managed {
    /// What references have in addition to the ARN.
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Own(policy, _) => &policy.id,
            Self::Aws(_) => "",
        }
    }
}

impl Iam {
    /// The managed policy with that ARN, if the caller may refer to it and it exists.
    pub(super) async fn managed(
        &self,
        call: &Call<'_>,
        arn: &str,
    ) -> Result<Option<Managed>, QueryError> {
        let rest = arn.strip_prefix("arn:aws:iam::");
        let parts = rest.and_then(|rest| rest.split_once(":policy/"));
        let Some((account, _)) = parts else {
            return Err(invalid_input(format!("ARN {arn} is not valid.")));
        };
        if account == "aws" {
            return Ok(managed(arn).map(Managed::Aws));
        }
        if account != call.account().as_str() {
            return Ok(None);
        }
        let Some(key) = policy_row(arn) else {
            return Ok(None);
        };
        let found = self.rows.get::<ManagedPolicy>(&key).await.map_err(fault)?;
        let found = found.filter(|(policy, _)| policy.arn() == arn);
        Ok(found.map(|(policy, revision)| Managed::Own(policy, revision)))
    }

    /// Step 2 of attach for a policy; `false` if it was deleted.
    pub(super) async fn hold_policy(&self, policy: &Managed) -> Result<bool, QueryError> {
        match policy {
            Managed::Aws(_) => Ok(true),
            Managed::Own(policy, _) => {
                let key = policy_key(&policy.account, &policy.name);
                self.hold(&key, &policy.id).await
            }
        }
    }

    /// Step 2 of attach for a group; `false` if it was deleted.
    pub(super) async fn hold_group(&self, group: &Entity) -> Result<bool, QueryError> {
        let key = entity_key(EntityKind::Group, &group.account, &group.name);
        self.hold(&key, &group.id).await
    }

    /// Rewrites the row unchanged.
    async fn hold(&self, key: &str, id: &str) -> Result<bool, QueryError> {
        #[derive(Deserialize)]
        struct Identified {
            id: String,
            #[serde(default)]
            moved: bool,
        }
        let mut raced = false;
        for _ in 0..TRIES_MAX {
            let found = self.rows.get::<Box<RawValue>>(key).await.map_err(fault)?;
            let Some((row, revision)) = found else {
                return Ok(false);
            };
            let same = serde_json::from_str::<Identified>(row.get());
            if same.is_ok_and(|same| same.id != id || same.moved) {
                return Ok(false);
            }
            // Another request's write has the same effect.
            if raced {
                return Ok(true);
            }
            let written = self.rows.put(key, &row, Expect::Revision(revision)).await;
            match written.map_err(fault)? {
                Some(_) => return Ok(true),
                None => raced = true,
            }
        }
        Err(contended(key))
    }

    /// Which of an entity's managed policies exist.
    pub(super) async fn live_attached(
        &self,
        call: &Call<'_>,
        entity: &Entity,
    ) -> Result<Vec<String>, QueryError> {
        let mut live = Vec::new();
        for (arn, id) in &entity.attached {
            let found = self.managed(call, arn).await?;
            if found.is_some_and(|found| found.id() == id) {
                live.push(arn.clone());
            }
        }
        Ok(live)
    }

    /// The groups that a user is in, by name.
    pub(super) async fn live_groups(&self, user: &Entity) -> Result<Vec<Entity>, QueryError> {
        if user.groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut groups = self.entities(EntityKind::Group, &user.account).await?;
        groups.retain(|group| user.groups.contains(&group.id));
        Ok(groups)
    }

    /// All entities of the account that may have policies.
    pub(super) async fn everybody(&self, account: &AccountId) -> Result<Vec<Entity>, QueryError> {
        let mut all = Vec::new();
        for kind in KINDS {
            all.extend(self.entities(kind, account).await?);
        }
        Ok(all)
    }
}

/// Whether an entity has that policy.
pub(super) fn has(entity: &Entity, arn: &str, id: &str) -> bool {
    entity.attached.get(arn).is_some_and(|meant| meant == id)
}

/// Whether that policy is an entity's permissions boundary.
pub(super) fn is_limited_by(entity: &Entity, arn: &str, id: &str) -> bool {
    let boundary = entity.boundary.as_ref();
    boundary.is_some_and(|boundary| boundary.arn == arn && boundary.id == id)
}

/// How often each policy is used, by ARN and id.
pub(super) fn uses(everybody: &[Entity]) -> BTreeMap<(&str, &str), Uses> {
    let mut uses: BTreeMap<(&str, &str), Uses> = BTreeMap::new();
    for entity in everybody {
        for (arn, id) in &entity.attached {
            uses.entry((arn, id)).or_default().attached += 1;
        }
        if let Some(boundary) = &entity.boundary {
            uses.entry((&boundary.arn, &boundary.id))
                .or_default()
                .boundary += 1;
        }
    }
    uses
}

/// The ids of groups that are in use.
pub(super) fn groups_with_members(users: &[Entity]) -> BTreeSet<&str> {
    let ids = users.iter().flat_map(|user| &user.groups);
    ids.map(String::as_str).collect()
}

pub(super) fn not_found(arn: &str) -> QueryError {
    no_such(format!("Policy {arn} was not found."))
}

pub(super) fn not_attachable(arn: &str) -> QueryError {
    no_such(format!("Policy {arn} does not exist or is not attachable."))
}
