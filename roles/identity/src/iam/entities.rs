//! Users, groups and roles: created, read, changed, deleted. They differ in little more than the names
//! of members.

use std::collections::{BTreeMap, BTreeSet};

use authn::identity::PrincipalKind;
use records::iam::{Entity, EntityKind, entity_key};
use storage::{Expect, Revision};
use tables::TRIES_MAX;
use wire::query::QueryError;

use super::attached::{bound, no_boundary};
use super::call::Call;
use super::paging::Page;
use super::references::{Managed, groups_with_members};
use super::rules::{given_tags, trust};
use super::xml::{brief, group, member, whole};
use super::{Answer, Iam, contended, fault, in_use, missing, taken, title};

/// The most seconds a session lasts, by default (AWS).
const SESSION_SECONDS: u32 = 3_600;

impl Iam {
    pub(super) async fn create(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let made = self.new_entity(call, kind)?;
        call.may_to(&made)?;
        let boundary = match &made.boundary {
            Some(boundary) => Some(self.boundary(call, &boundary.arn).await?),
            None => None,
        };
        let made = Entity {
            boundary: boundary
                .as_ref()
                .zip(made.boundary.as_ref())
                .map(|(policy, boundary)| bound(&boundary.arn, policy)),
            ..made
        };
        let key = entity_key(kind, call.account(), &made.name);
        let written = self.put_new(&key, &made).await?;
        let revision = written.ok_or_else(|| name_taken(kind, &made.name))?;
        self.keep_bounded(&key, revision, boundary.as_ref(), &made)
            .await?;
        Ok(group(title(kind), &whole(&made)))
    }

    /// Undoes the creation if the permissions boundary was deleted meanwhile.
    async fn keep_bounded(
        &self,
        key: &str,
        revision: Revision,
        boundary: Option<&Managed>,
        made: &Entity,
    ) -> Result<(), QueryError> {
        let (Some(policy), Some(boundary)) = (boundary, &made.boundary) else {
            return Ok(());
        };
        if self.hold_policy(policy).await? {
            return Ok(());
        }
        let deleted = self.rows.delete(key, Expect::Revision(revision)).await;
        deleted.map_err(fault)?;
        Err(no_boundary(&boundary.arn))
    }

    fn new_entity(&self, call: &Call<'_>, kind: EntityKind) -> Result<Entity, QueryError> {
        let prefix = match kind {
            EntityKind::User => "AIDA",
            EntityKind::Role => "AROA",
            EntityKind::Group => "AGPA",
        };
        let trust = match kind {
            EntityKind::Role => trust(call, "AssumeRolePolicyDocument")?,
            EntityKind::User | EntityKind::Group => String::new(),
        };
        // Whether there is such a policy is checked after authorisation.
        let boundary = call.given("PermissionsBoundary");
        let boundary = boundary.map(|arn| records::iam::Boundary {
            arn: arn.to_owned(),
            id: String::new(),
        });
        Ok(Entity {
            kind,
            account: call.account().clone(),
            name: call.required(&format!("{}Name", title(kind)))?.to_owned(),
            path: call.given("Path").unwrap_or("/").to_owned(),
            id: self.new_id(prefix),
            created: self.clock.now(),
            description: call.given("Description").unwrap_or_default().to_owned(),
            trust,
            session_seconds_max: call
                .number("MaxSessionDuration")?
                .unwrap_or(SESSION_SECONDS),
            inline: BTreeMap::new(),
            attached: BTreeMap::new(),
            boundary,
            groups: BTreeSet::new(),
            tags: given_tags(call)?,
            keys: Vec::new(),
            moving_from: None,
            moved: false,
        })
    }

    pub(super) async fn get(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        if kind == EntityKind::User && call.given("UserName").is_none() {
            let root = call.requester.principal();
            if let Some(root) = root.filter(|caller| caller.kind == PrincipalKind::Root) {
                call.may(&root.arn)?;
                let inside = member("UserId", &root.user_id) + &member("Arn", &root.arn);
                return Ok(group("User", &inside));
            }
        }
        let found = self.entity(call, kind).await?;
        Ok(group(title(kind), &whole(&found)))
    }

    pub(super) async fn list_entities(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        call.may(&format!("arn:aws:iam::{}:{}/", call.account(), kind.word()))?;
        let prefix = call.given("PathPrefix").unwrap_or("/");
        let mut found = self.entities(kind, call.account()).await?;
        found.retain(|entity| entity.path.starts_with(prefix));
        let page = Page::of(call, found, by_name)?;
        Ok(page.xml(&format!("{}s", title(kind)), brief))
    }

    pub(super) async fn delete(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let named = self.entity(call, kind).await?;
        let key = entity_key(kind, call.account(), &named.name);
        for _ in 0..TRIES_MAX {
            let Some((found, revision)) = self.read(&key).await? else {
                return Err(missing(kind, &named.name));
            };
            self.check_unused(call, &found).await?;
            let deleted = self.rows.delete(&key, Expect::Revision(revision)).await;
            if deleted.map_err(fault)? {
                return Ok(String::new());
            }
        }
        Err(contended(&key))
    }

    /// Refuses to delete an entity that has something, or that something refers to.
    async fn check_unused(&self, call: &Call<'_>, found: &Entity) -> Result<(), QueryError> {
        let must = |first: &str| {
            Err(in_use(&format!(
                "Cannot delete entity, must {first} first."
            )))
        };
        if !self.live_attached(call, found).await?.is_empty() {
            return must("detach all policies");
        }
        if !found.inline.is_empty() {
            return must("delete policies");
        }
        if !found.keys.is_empty() {
            return must("delete access keys");
        }
        if !self.live_groups(found).await?.is_empty() {
            return must("remove users from group");
        }
        if found.kind == EntityKind::Group {
            let users = self.entities(EntityKind::User, &found.account).await?;
            if groups_with_members(&users).contains(found.id.as_str()) {
                return must("remove users from group");
            }
        }
        Ok(())
    }

    pub(super) async fn update_role(&self, call: &Call<'_>) -> Result<Entity, QueryError> {
        let seconds = call.number("MaxSessionDuration")?;
        let description = call.query.parameter("Description");
        let update = |role: &mut Entity| {
            if let Some(description) = description {
                role.description = description.to_owned();
            }
            role.session_seconds_max = seconds.unwrap_or(role.session_seconds_max);
            Ok(())
        };
        let (role, ()) = self.change(call, EntityKind::Role, update).await?;
        Ok(role)
    }

    pub(super) async fn update_trust(&self, call: &Call<'_>) -> Answer {
        self.entity(call, EntityKind::Role).await?;
        let trust = trust(call, "PolicyDocument")?;
        let update = |role: &mut Entity| {
            role.trust.clone_from(&trust);
            Ok(())
        };
        self.change(call, EntityKind::Role, update).await?;
        Ok(String::new())
    }
}

pub(super) fn name_taken(kind: EntityKind, name: &str) -> QueryError {
    taken(format!("{} with name {name} already exists.", title(kind)))
}

/// In the order of their rows.
pub(super) fn by_name(entity: &Entity) -> String {
    entity.name.to_ascii_lowercase()
}
