//! Which users are in which group.

use records::iam::{Entity, EntityKind, entity_key};

use super::call::Call;
use super::entities::by_name;
use super::paging::Page;
use super::xml::{brief, group};
use super::{Answer, Iam, limit, missing};

/// Groups of a user (AWS).
const GROUPS_MAX: usize = 10;

impl Iam {
    pub(super) async fn get_group(&self, call: &Call<'_>) -> Answer {
        let found = self.entity(call, EntityKind::Group).await?;
        let mut users = self.entities(EntityKind::User, call.account()).await?;
        users.retain(|user| user.groups.contains(&found.id));
        let page = Page::of(call, users, by_name)?;
        Ok(group("Group", &brief(&found)) + &page.xml("Users", brief))
    }

    pub(super) async fn groups_of_user(&self, call: &Call<'_>) -> Answer {
        let user = self.entity(call, EntityKind::User).await?;
        let groups = self.live_groups(&user).await?;
        Ok(Page::of(call, groups, by_name)?.xml("Groups", brief))
    }

    pub(super) async fn add_user(&self, call: &Call<'_>) -> Answer {
        let (found, key) = self.group_and_user(call).await?;
        let live = self.entities(EntityKind::Group, call.account()).await?;
        let add = |user: &mut Entity| {
            user.groups.insert(found.id.clone());
            let groups = live.iter().filter(|group| user.groups.contains(&group.id));
            match groups.count() > GROUPS_MAX {
                true => Err(limit(format!(
                    "Cannot exceed quota for GroupsPerUser: {GROUPS_MAX}"
                ))),
                false => Ok(()),
            }
        };
        let user = call.required("UserName")?;
        let no_user = || missing(EntityKind::User, user);
        self.alter(&key, no_user, add).await?;
        if self.hold_group(&found).await? {
            return Ok(String::new());
        }
        let take_back = |user: &mut Entity| {
            user.groups.remove(&found.id);
            Ok(())
        };
        self.alter(&key, no_user, take_back).await?;
        Err(missing(EntityKind::Group, &found.name))
    }

    pub(super) async fn remove_user(&self, call: &Call<'_>) -> Answer {
        let (found, key) = self.group_and_user(call).await?;
        let remove = |user: &mut Entity| {
            user.groups.remove(&found.id);
            Ok(())
        };
        let user = call.required("UserName")?;
        let no_user = || missing(EntityKind::User, user);
        self.alter(&key, no_user, remove).await?;
        Ok(String::new())
    }

    /// The group that a request names, and the row of the user it names. A caller that may change the
    /// group needs no right to change the user, as on AWS.
    async fn group_and_user(
        &self,
        call: &Call<'_>,
    ) -> Result<(Entity, String), wire::query::QueryError> {
        let found = self.entity(call, EntityKind::Group).await?;
        let user = call.required("UserName")?;
        Ok((found, entity_key(EntityKind::User, call.account(), user)))
    }
}
