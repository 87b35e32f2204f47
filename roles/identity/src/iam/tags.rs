//! Tags of users, roles and managed policies.

use records::iam::{Entity, EntityKind, ManagedPolicy};

use super::call::Call;
use super::paging::Page;
use super::rules::{add_tags, given_tags, remove_tags};
use super::xml::tag;
use super::{Answer, Iam, title};

impl Iam {
    pub(super) async fn tag(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let new = given_tags(call)?;
        let change = |entity: &mut Entity| add_tags(&mut entity.tags, &new, title(kind));
        self.change(call, kind, change).await?;
        Ok(String::new())
    }

    pub(super) async fn untag(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let gone = call.list("TagKeys");
        let change = |entity: &mut Entity| {
            remove_tags(&mut entity.tags, &gone);
            Ok(())
        };
        self.change(call, kind, change).await?;
        Ok(String::new())
    }

    pub(super) async fn list_tags(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let found = self.entity(call, kind).await?;
        let page = Page::of(call, found.tags.iter().collect(), |(key, _)| {
            String::clone(key)
        })?;
        Ok(page.xml("Tags", |found| tag(*found)))
    }

    pub(super) async fn tag_policy(&self, call: &Call<'_>) -> Answer {
        let new = given_tags(call)?;
        let change = |policy: &mut ManagedPolicy| add_tags(&mut policy.tags, &new, "Policy");
        self.change_policy(call, change).await?;
        Ok(String::new())
    }

    pub(super) async fn untag_policy(&self, call: &Call<'_>) -> Answer {
        let gone = call.list("TagKeys");
        let change = |policy: &mut ManagedPolicy| {
            remove_tags(&mut policy.tags, &gone);
            Ok(())
        };
        self.change_policy(call, change).await?;
        Ok(String::new())
    }

    pub(super) async fn list_policy_tags(&self, call: &Call<'_>) -> Answer {
        let found = self.own_policy(call).await?;
        let page = Page::of(call, found.tags.iter().collect(), |(key, _)| {
            String::clone(key)
        })?;
        Ok(page.xml("Tags", |found| tag(*found)))
    }
}
