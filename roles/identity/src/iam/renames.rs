//! Giving users and groups another name or path. The name is the row's key, and there is no way to
//! write two rows at once.
//!
//! ```text
//!   1  write the new row, moving from the old one       not valid yet
//!   2  mark the old row as moved, if it is as copied    now it is valid, and the old one is not
//!   3  say in the new row that it has moved
//!   4  delete the mark
//! ```
//!
//! A request that finds a crash's remains between 2 and 4 finishes them, and a request that finds a new
//! row whose old one is not marked may take the name: it changes the old row first, so that step 2 of a
//! slow rename fails.

use std::collections::BTreeMap;

use records::iam::{Entity, EntityKind, entity_key};
use storage::{Expect, Revision};
use tables::TRIES_MAX;
use wire::query::QueryError;

use super::call::Call;
use super::entities::name_taken;
use super::{Answer, Iam, contended, fault, missing, title};

impl Iam {
    pub(super) async fn update(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let named = self.entity(call, kind).await?;
        let old = entity_key(kind, call.account(), &named.name);
        let new_name = call.given(&format!("New{}Name", title(kind)));
        let new_name = new_name.unwrap_or(&named.name);
        let renamed = |entity: &Entity| {
            let mut entity = entity.clone();
            entity.name = new_name.to_owned();
            let path = call.given("NewPath").unwrap_or(&named.path);
            entity.path = path.to_owned();
            entity
        };
        // The right to the new name is required, too, as on AWS.
        call.may_to(&renamed(&named))?;
        let new = entity_key(kind, call.account(), new_name);
        if new == old {
            let change = |entity: &mut Entity| {
                *entity = renamed(entity);
                Ok(())
            };
            let gone = || missing(kind, &named.name);
            self.alter(&old, gone, change).await?;
            return Ok(String::new());
        }
        for _ in 0..TRIES_MAX {
            let Some((entity, revision)) = self.read(&old).await? else {
                return Err(missing(kind, &named.name));
            };
            if self.rename(&old, revision, &renamed(&entity), &new).await? {
                return Ok(String::new());
            }
        }
        Err(contended(&old))
    }

    /// Moves what was read at `revision`; `false` if it has changed since.
    async fn rename(
        &self,
        old: &str,
        revision: Revision,
        renamed: &Entity,
        new: &str,
    ) -> Result<bool, QueryError> {
        let mut row = renamed.clone();
        row.moving_from = Some(old.to_owned());
        let Some(placed) = self.put_new(new, &row).await? else {
            return Err(name_taken(row.kind, &row.name));
        };
        let mark = Entity {
            moved: true,
            moving_from: None,
            inline: BTreeMap::new(),
            keys: Vec::new(),
            ..renamed.clone()
        };
        let marked = self.rows.put(old, &mark, Expect::Revision(revision)).await;
        if marked.map_err(fault)?.is_none() {
            let deleted = self.rows.delete(new, Expect::Revision(placed)).await;
            deleted.map_err(fault)?;
            return Ok(false);
        }
        // The rename is done; what remains, others do if this process does not.
        self.finish(old).await?;
        Ok(true)
    }

    /// The entity in that row, if it exists.
    pub(super) async fn read(&self, key: &str) -> Result<Option<(Entity, Revision)>, QueryError> {
        let found = self.rows.get::<Entity>(key).await.map_err(fault)?;
        let Some((entity, revision)) = found else {
            return Ok(None);
        };
        let before = match &entity.moving_from {
            Some(from) => self.rows.get::<Entity>(from).await.map_err(fault)?,
            None => None,
        };
        let before = before.as_ref().map(|(before, _)| before);
        let there = entity.is_there(before);
        Ok(there.then_some((entity, revision)))
    }

    /// Writes a row under a free name; `None` if it is taken.
    pub(super) async fn put_new(
        &self,
        key: &str,
        made: &Entity,
    ) -> Result<Option<Revision>, QueryError> {
        for _ in 0..TRIES_MAX {
            let written = self.rows.put(key, made, Expect::Absent).await;
            if let Some(revision) = written.map_err(fault)? {
                return Ok(Some(revision));
            }
            let found = self.rows.get::<Entity>(key).await.map_err(fault)?;
            let Some((there, revision)) = found else {
                continue;
            };
            match &there.moving_from {
                _ if there.moved => self.finish(key).await?,
                None => return Ok(None),
                Some(from) => {
                    if !self.stop(from, &there).await? {
                        return Ok(None);
                    }
                    let written = self.rows.put(key, made, Expect::Revision(revision)).await;
                    if let Some(revision) = written.map_err(fault)? {
                        return Ok(Some(revision));
                    }
                }
            }
        }
        Err(contended(key))
    }

    /// Prevents a rename from being done: `false` if it is.
    async fn stop(&self, from: &str, to: &Entity) -> Result<bool, QueryError> {
        for _ in 0..TRIES_MAX {
            let found = self.rows.get::<Entity>(from).await.map_err(fault)?;
            let Some((before, revision)) = found else {
                return Ok(true);
            };
            if to.is_there(Some(&before)) {
                return Ok(false);
            }
            let touched = self.rows.put(from, &before, Expect::Revision(revision));
            if touched.await.map_err(fault)?.is_some() {
                return Ok(true);
            }
        }
        Err(contended(from))
    }

    /// Steps 3 and 4 for the mark in that row.
    async fn finish(&self, old: &str) -> Result<(), QueryError> {
        for _ in 0..TRIES_MAX {
            let found = self.rows.get::<Entity>(old).await.map_err(fault)?;
            let Some((mark, revision)) = found.filter(|(mark, _)| mark.moved) else {
                return Ok(());
            };
            // A mark has the new name of its entity.
            let new = entity_key(mark.kind, &mark.account, &mark.name);
            let came = self.rows.get::<Entity>(&new).await.map_err(fault)?;
            let came = came
                .filter(|(came, _)| came.id == mark.id && came.moving_from.as_deref() == Some(old));
            if let Some((mut came, at)) = came {
                came.moving_from = None;
                let written = self.rows.put(&new, &came, Expect::Revision(at)).await;
                if written.map_err(fault)?.is_none() {
                    continue;
                }
            }
            let deleted = self.rows.delete(old, Expect::Revision(revision)).await;
            if deleted.map_err(fault)? {
                return Ok(());
            }
        }
        Err(contended(old))
    }
}

/// Keeps only the rows, of all rows of one kind by key, that exist.
pub(super) fn those_there(all: BTreeMap<String, Entity>) -> Vec<Entity> {
    let there = |entity: &&Entity| {
        let before = entity.moving_from.as_ref();
        entity.is_there(before.and_then(|from| all.get(from)))
    };
    all.values().filter(there).cloned().collect()
}
