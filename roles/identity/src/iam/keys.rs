//! Access keys of users.

use records::iam::{Entity, EntityKind, UserKey};
use wire::query::QueryError;

use super::call::Call;
use super::paging::Page;
use super::xml::{group, key, member};
use super::{Answer, Iam, limit, no_such};

/// Access keys of a user (AWS).
const KEYS_MAX: usize = 2;

impl Iam {
    pub(super) async fn create_key(&self, call: &Call<'_>) -> Answer {
        let id = self.new_id("AKIA");
        let (secret, sealed) = self.user_keys.make(&id, self.random.as_ref());
        let made = UserKey {
            id,
            sealed,
            active: true,
            created: self.clock.now(),
        };
        let add = |user: &mut Entity| {
            if user.keys.len() >= KEYS_MAX {
                let message = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_MAX}");
                return Err(limit(message));
            }
            user.keys.push(made.clone());
            Ok(())
        };
        let (user, ()) = self.change(call, EntityKind::User, add).await?;
        let shown = key(&user.name, &made) + &member("SecretAccessKey", secret.expose());
        Ok(group("AccessKey", &shown))
    }

    pub(super) async fn list_keys(&self, call: &Call<'_>) -> Answer {
        let user = self.entity(call, EntityKind::User).await?;
        let page = Page::of(call, user.keys, |key| key.id.clone())?;
        Ok(page.xml("AccessKeyMetadata", |found| key(&user.name, found)))
    }

    pub(super) async fn update_key(&self, call: &Call<'_>) -> Answer {
        let (id, status) = (call.required("AccessKeyId")?, call.required("Status")?);
        // The model has a third status, which is AWS's own to set.
        if status == "Expired" {
            return Err(QueryError::validation(format!(
                "1 validation error detected: Value '{status}' at 'status' failed to satisfy \
                 constraint: Member must satisfy enum value set: [Active, Inactive]"
            )));
        }
        let update = |user: &mut Entity| {
            let found = user.keys.iter_mut().find(|found| found.id == id);
            found.ok_or_else(|| no_key(id))?.active = status == "Active";
            Ok(())
        };
        self.change(call, EntityKind::User, update).await?;
        Ok(String::new())
    }

    pub(super) async fn delete_key(&self, call: &Call<'_>) -> Answer {
        let id = call.required("AccessKeyId")?;
        let delete = |user: &mut Entity| {
            let before = user.keys.len();
            user.keys.retain(|found| found.id != id);
            match user.keys.len() < before {
                true => Ok(()),
                false => Err(no_key(id)),
            }
        };
        self.change(call, EntityKind::User, delete).await?;
        self.forget_use(id).await;
        Ok(String::new())
    }
}

fn no_key(id: &str) -> QueryError {
    no_such(format!("The Access Key with id {id} cannot be found."))
}
