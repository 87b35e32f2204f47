//! Managed policies of users, groups and roles: as permissions, and as permissions boundaries.

use records::iam::{Boundary, Entity, EntityKind, entity_key};
use wire::query::QueryError;

use super::call::Call;
use super::paging::Page;
use super::references::{Managed, not_attachable, not_found};
use super::rules::check_attached;
use super::xml::member;
use super::{Answer, Iam, no_such};

impl Iam {
    pub(super) async fn attach(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        self.entity(call, kind).await?;
        let arn = call.required("PolicyArn")?;
        let policy = self.managed(call, arn).await?;
        let policy = policy.ok_or_else(|| not_attachable(arn))?;
        let attach = |entity: &mut Entity| {
            let id = policy.id().to_owned();
            entity.attached.insert(arn.to_owned(), id);
            check_attached(entity)
        };
        let (entity, ()) = self.change(call, kind, attach).await?;
        if self.hold_policy(&policy).await? {
            return Ok(String::new());
        }
        let take_back = |entity: &mut Entity| {
            if entity.attached.get(arn).map(String::as_str) == Some(policy.id()) {
                entity.attached.remove(arn);
            }
            Ok(())
        };
        self.take_back(&entity, take_back, not_attachable(arn))
            .await
    }

    pub(super) async fn detach(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let arn = call.required("PolicyArn")?;
        let detach = |entity: &mut Entity| {
            let had = entity.attached.remove(arn);
            had.map(|_| ()).ok_or_else(|| not_found(arn))
        };
        self.change(call, kind, detach).await?;
        Ok(String::new())
    }

    pub(super) async fn list_attached(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let entity = self.entity(call, kind).await?;
        let prefix = call.given("PathPrefix").unwrap_or("/");
        let live = self.live_attached(call, &entity).await?;
        let live = live.into_iter().filter(|arn| path(arn).starts_with(prefix));
        // Two of one name differ in who manages them.
        let key = |arn: &String| format!("{} {arn}", name(arn));
        let page = Page::of(call, live.collect(), key)?;
        Ok(page.xml("AttachedPolicies", |arn| attached(arn)))
    }

    pub(super) async fn put_boundary(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        self.entity(call, kind).await?;
        let arn = call.required("PermissionsBoundary")?;
        let policy = self.boundary(call, arn).await?;
        let new = bound(arn, &policy);
        let put = |entity: &mut Entity| Ok(entity.boundary.replace(new.clone()));
        let (entity, before) = self.change(call, kind, put).await?;
        if self.hold_policy(&policy).await? {
            return Ok(String::new());
        }
        let take_back = |entity: &mut Entity| {
            if entity.boundary.as_ref() == Some(&new) {
                entity.boundary.clone_from(&before);
            }
            Ok(())
        };
        self.take_back(&entity, take_back, no_boundary(arn)).await
    }

    pub(super) async fn delete_boundary(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let delete = |entity: &mut Entity| {
            let had = entity.boundary.take();
            had.map(|_| ()).ok_or_else(|| {
                let (word, name) = (entity.kind.word(), &entity.name);
                no_such(format!(
                    "The {word} {name} does not have a permissions boundary."
                ))
            })
        };
        self.change(call, kind, delete).await?;
        Ok(String::new())
    }

    /// The managed policy that is to be a permissions boundary.
    pub(super) async fn boundary(&self, call: &Call<'_>, arn: &str) -> Result<Managed, QueryError> {
        let policy = self.managed(call, arn).await?;
        policy.ok_or_else(|| no_boundary(arn))
    }

    /// Removes a reference whose target was deleted meanwhile, and refuses.
    async fn take_back(
        &self,
        entity: &Entity,
        change: impl FnMut(&mut Entity) -> Result<(), QueryError>,
        refusal: QueryError,
    ) -> Answer {
        let key = entity_key(entity.kind, &entity.account, &entity.name);
        // If the entity was deleted, so was the reference.
        self.alter(&key, || refusal.clone(), change).await?;
        Err(refusal)
    }
}

/// A reference to a permissions boundary.
pub(super) fn bound(arn: &str, policy: &Managed) -> Boundary {
    Boundary {
        arn: arn.to_owned(),
        id: policy.id().to_owned(),
    }
}

pub(super) fn no_boundary(arn: &str) -> QueryError {
    no_such(format!(
        "Scope ARN: {arn} does not exist or is not attachable."
    ))
}

/// The members of an `AttachedPolicy`.
pub(super) fn attached(arn: &str) -> String {
    member("PolicyName", name(arn)) + &member("PolicyArn", arn)
}

fn name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The path of a policy, from its ARN.
fn path(arn: &str) -> &str {
    let from = arn.find('/').unwrap_or(arn.len());
    let to = arn.rfind('/').map_or(arn.len(), |at| at + 1);
    &arn[from..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_a_path_and_a_name() {
        let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaRole";
        assert_eq!((path(arn), name(arn)), ("/service-role/", "AWSLambdaRole"));
        let arn = "arn:aws:iam::000000000000:policy/p";
        assert_eq!((path(arn), name(arn)), ("/", "p"));
        assert_eq!((path("x"), name("x")), ("", "x"));
    }
}
