//! Policies that belong to one user, group or role alone.

use policy::Form;
use records::iam::{Entity, EntityKind};
use wire::query::QueryError;

use super::call::Call;
use super::paging::Page;
use super::rules::{check_inline, document};
use super::xml::{document as shown, group, member};
use super::{Answer, Iam, no_such, title};

impl Iam {
    pub(super) async fn put_inline(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        self.entity(call, kind).await?;
        let name = call.required("PolicyName")?;
        let text = document(call, "PolicyDocument", Form::Identity)?;
        let put = |entity: &mut Entity| {
            entity.inline.insert(name.to_owned(), text.clone());
            check_inline(entity)
        };
        self.change(call, kind, put).await?;
        Ok(String::new())
    }

    pub(super) async fn get_inline(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let found = self.entity(call, kind).await?;
        let name = call.required("PolicyName")?;
        let text = found
            .inline
            .get(name)
            .ok_or_else(|| no_policy(kind, name))?;
        let owner = member(&format!("{}Name", title(kind)), &found.name);
        Ok(owner + &inline(name, text))
    }

    pub(super) async fn delete_inline(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let name = call.required("PolicyName")?;
        let delete = |entity: &mut Entity| {
            let had = entity.inline.remove(name);
            had.map(|_| ()).ok_or_else(|| no_policy(kind, name))
        };
        self.change(call, kind, delete).await?;
        Ok(String::new())
    }

    pub(super) async fn list_inline(&self, call: &Call<'_>, kind: EntityKind) -> Answer {
        let found = self.entity(call, kind).await?;
        let page = Page::of(call, found.inline.into_keys().collect(), String::clone)?;
        let names = page.items.iter().map(|name| member("member", name));
        Ok(group("PolicyNames", &names.collect::<String>()) + &page.end())
    }
}

/// A policy's name and its document.
pub(super) fn inline(name: &str, text: &str) -> String {
    member("PolicyName", name) + &shown("PolicyDocument", text)
}

fn no_policy(kind: EntityKind, name: &str) -> QueryError {
    let word = kind.word();
    no_such(format!(
        "The {word} policy with name {name} cannot be found."
    ))
}
