//! One verified request to IAM: its parameters, and whether its sender may do it.

use std::collections::BTreeMap;

use authn::authorisation::{Ask, Requester};
use authn::identity::PrincipalKind;
use policy::Context;
use records::iam::{Entity, EntityKind, ManagedPolicy};
use types::{AccountId, ForCallers as _};
use wire::query::{Query, QueryError};

/// See the module.
pub(super) struct Call<'r> {
    pub(super) requester: &'r Requester,
    pub(super) query: &'r Query,
}

impl Call<'_> {
    /// Whose users, groups, roles and policies it is about.
    pub(super) fn account(&self) -> &AccountId {
        self.requester.account()
    }

    /// A parameter, unless it is empty.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.query.parameter(name).filter(|text| !text.is_empty())
    }

    /// A required parameter.
    pub(super) fn required(&self, name: &str) -> Result<&str, QueryError> {
        self.given(name).ok_or_else(|| {
            let at = name[..1].to_ascii_lowercase() + &name[1..];
            QueryError::validation(format!(
                "1 validation error detected: Value null at '{at}' failed to satisfy constraint: \
                 Member must not be null"
            ))
        })
    }

    /// A parameter that is `true` or `false`; without it, `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, QueryError> {
        match self.given(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(self.malformed(name)),
        }
    }

    /// A parameter that is a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, QueryError> {
        let Some(text) = self.given(name) else {
            return Ok(None);
        };
        let number = text.parse().map_err(|_| self.malformed(name))?;
        Ok(Some(number))
    }

    fn malformed(&self, name: &str) -> QueryError {
        super::error(
            http::StatusCode::BAD_REQUEST,
            "MalformedInput",
            format!("The value of {name} cannot be read."),
        )
    }

    /// The items of a list of texts, in their order.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let prefix = format!("{name}.member.");
        let parameters = self.query.parameters.iter();
        let items = parameters.filter(|(key, _)| key.starts_with(&prefix));
        items.map(|(_, value)| value.as_str()).collect()
    }

    /// `Tags.member.N.Key` with its `Value`, in their order. The model allows for fifty.
    pub(super) fn tags(&self) -> Vec<(&str, &str)> {
        let keys = self.query.parameters.iter().filter_map(|(name, key)| {
            let number = name.strip_prefix("Tags.member.")?.strip_suffix(".Key")?;
            let value = self.query.parameter(&format!("Tags.member.{number}.Value"));
            Some((key.as_str(), value.unwrap_or_default()))
        });
        keys.collect()
    }

    /// The entity it is about. For some operations on users that is the caller, if nobody is named.
    pub(super) fn entity_name(&self, kind: EntityKind) -> Result<&str, QueryError> {
        let member = match kind {
            EntityKind::User => "UserName",
            EntityKind::Role => "RoleName",
            EntityKind::Group => "GroupName",
        };
        if kind != EntityKind::User || self.given(member).is_some() {
            return self.required(member);
        }
        match self.requester.principal().map(|principal| &principal.kind) {
            Some(PrincipalKind::User { name }) => Ok(name),
            _ => Err(QueryError::validation(
                "Must specify userName when calling with non-User credentials".to_owned(),
            )),
        }
    }

    /// Refuses if the caller may not do this to that resource.
    pub(super) fn may(&self, resource: &str) -> Result<(), QueryError> {
        self.may_with(resource, Context::new())
    }

    /// Refuses if the caller may not do this to that entity.
    pub(super) fn may_to(&self, entity: &Entity) -> Result<(), QueryError> {
        let mut context = resource_tags(&entity.tags);
        if let Some(boundary) = &entity.boundary {
            context.set("iam:PermissionsBoundary", boundary.arn.clone());
        }
        self.may_with(&entity.arn(), context)
    }

    /// Refuses if the caller may not do this to that policy.
    pub(super) fn may_to_policy(&self, policy: &ManagedPolicy) -> Result<(), QueryError> {
        self.may_with(&policy.arn(), resource_tags(&policy.tags))
    }

    fn may_with(&self, resource: &str, mut context: Context) -> Result<(), QueryError> {
        context.extend(self.request_context());
        let decided = self.requester.authorise(Ask {
            action: &format!("iam:{}", self.query.action),
            resource,
            owner: self.account(),
            policy: None,
            context,
        });
        decided.map_err(|denied| QueryError::access_denied(denied.told()))
    }

    /// The refusal of what nobody may do, in AWS's words.
    pub(super) fn denied(&self, resource: &str) -> QueryError {
        let who = self.requester.principal();
        let who = who.map(|caller| caller.arn.as_str()).unwrap_or_default();
        let action = &self.query.action;
        QueryError::access_denied(format!(
            "User: {who} is not authorized to perform: iam:{action} on resource: {resource}"
        ))
    }

    /// The condition keys that the request itself has.
    fn request_context(&self) -> Context {
        let mut context = Context::new();
        let tags = self.tags();
        for (key, value) in &tags {
            context.set(&format!("aws:RequestTag/{key}"), *value);
        }
        let given = tags.iter().map(|(key, _)| *key);
        let taken = self.list("TagKeys");
        context.set_all("aws:TagKeys", given.chain(taken).map(str::to_owned));
        if let Some(arn) = self.given("PermissionsBoundary") {
            context.set("iam:PermissionsBoundary", arn);
        }
        if let Some(arn) = self.given("PolicyArn") {
            context.set("iam:PolicyARN", arn);
        }
        context
    }
}

fn resource_tags(tags: &BTreeMap<String, String>) -> Context {
    let mut context = Context::new();
    context.set_tags("aws:ResourceTag/", tags);
    context.set_tags("iam:ResourceTag/", tags);
    context
}
