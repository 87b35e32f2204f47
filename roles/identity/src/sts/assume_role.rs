//! AssumeRole: assuming a role, if it trusts the caller and the caller's own policies allow it.
//!
//! ```text
//!   sts:AssumeRole ─┐
//!   sts:TagSession ─┼─▶ trust policy, with the caller's own ─▶ policies and tags given ─▶ session
//!   sts:SetSourceIdentity ┘  (the last two where there is something to tag or set)
//! ```
//!
//! Callers cannot find out which roles exist: a role that does not exist is refused like any other.

use std::time::Duration;

use authn::authorisation::Ask;
use authn::identity::PrincipalKind;
use http::StatusCode;
use policy::{Context, Form, Policy};
use records::iam::{Entity, EntityKind, entity_key};
use types::RoleArn;
use wire::query::{QueryError, group, member};

use super::given::packed_size;
use super::tags::Tags;
use super::{Call, Sts, credentials, error};
use crate::keys::{Given, Subject, assumed_role};

/// The default seconds a session lasts (AWS).
const SECONDS: u32 = 3_600;
/// The most seconds a session lasts that was begun with a session of a role (AWS).
const CHAINED_SECONDS_MAX: u32 = 3_600;

impl Sts {
    pub(super) async fn assume_role(&self, call: &Call<'_>) -> Result<String, QueryError> {
        let parameter = |name| call.query.parameter(name);
        let text = parameter("RoleArn").unwrap_or_default();
        let arn = RoleArn::parse(text).ok_or_else(|| refused("Request ARN is invalid"))?;
        if call.requester.is_root() {
            let message = "Roles may not be assumed by root accounts.";
            return Err(QueryError::access_denied(message.to_owned()));
        }
        call.refuse_second_factors()?;
        if !call.query.list("ProvidedContexts").is_empty() {
            return Err(QueryError::not_implemented("ProvidedContexts"));
        }
        let session = call.requester.session();
        let inherited = session.map(|session| session.inherited.clone());
        let tags = Tags::read(call.query, &inherited.unwrap_or_default())?;
        let asked_identity = parameter("SourceIdentity").map(str::to_owned);
        let known_identity = session.and_then(|session| session.source_identity.clone());
        let role = self.role_of(&arn, text).await?;
        let role = call.trusted(role, text, &tags, known_identity.is_some())?;
        if known_identity.is_some() && asked_identity.is_some() && known_identity != asked_identity
        {
            let message = "The source identity of a session cannot be changed.";
            return Err(QueryError::access_denied(message.to_owned()));
        }
        let seconds = call.role_seconds(&role)?;
        let given = Given {
            tags: tags.all,
            transitive: tags.transitive,
            source_identity: known_identity.or(asked_identity),
            ..self.policies(call.query, &arn.account).await?
        };
        let packed = packed_size(&given)?;
        let name = parameter("RoleSessionName").unwrap_or_default();
        let subject = Subject::Role {
            account: arn.account.clone(),
            arn: text.to_owned(),
            id: Some(role.id.clone()),
            session: name.to_owned(),
            function: None,
        };
        let source_identity = given.source_identity.clone();
        let begun = (self.clock.now(), Duration::from_secs(u64::from(seconds)));
        let keys = self
            .sessions
            .begin(subject, given, begun, self.random.as_ref());
        let user = member("AssumedRoleId", &format!("{}:{name}", role.id))
            + &member("Arn", &assumed_role(&arn, name));
        let packed = packed.map(|percent| member("PackedPolicySize", &percent.to_string()));
        let identity = source_identity.map(|text| member("SourceIdentity", &text));
        Ok(credentials(&keys)
            + &group("AssumedRoleUser", &user)
            + &packed.unwrap_or_default()
            + &identity.unwrap_or_default())
    }

    async fn role_of(&self, arn: &RoleArn<'_>, text: &str) -> Result<Option<Entity>, QueryError> {
        let key = entity_key(EntityKind::Role, &arn.account, arn.name);
        let found = self.rows.get::<Entity>(&key).await;
        let found = found.map_err(|_| QueryError::unavailable())?;
        let found = found.map(|(role, _)| role);
        Ok(found.filter(|role| role.arn() == text))
    }
}

fn refused(message: &str) -> QueryError {
    error(StatusCode::BAD_REQUEST, "ValidationError", message)
}

impl Call<'_> {
    /// The role, if it allows the caller to assume it in this way.
    fn trusted(
        &self,
        role: Option<Entity>,
        arn: &str,
        tags: &Tags,
        has_identity: bool,
    ) -> Result<Entity, QueryError> {
        let denied = |action: &str| {
            let who = self.requester.principal();
            let who = who.map_or("anonymous", |principal| principal.arn.as_str());
            QueryError::access_denied(format!(
                "User: {who} is not authorized to perform: {action} on resource: {arn}"
            ))
        };
        let mut actions = vec!["sts:AssumeRole"];
        if !tags.all.is_empty() {
            actions.push("sts:TagSession");
        }
        if has_identity || self.query.parameter("SourceIdentity").is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        let Some(role) = role else {
            return Err(denied("sts:AssumeRole"));
        };
        let trust = Policy::parse(&role.trust, Form::Trust).unwrap_or_else(|_| Policy::deny_all());
        for action in actions {
            let decided = self.requester.trusted(Ask {
                action,
                resource: arn,
                owner: &role.account,
                policy: Some(&trust),
                context: self.context(&role, tags),
            });
            decided.map_err(|_| denied(action))?;
        }
        Ok(role)
    }

    /// The condition keys that assuming a role has.
    fn context(&self, role: &Entity, tags: &Tags) -> Context {
        let mut context = Context::new();
        let session = self.requester.session();
        if let Some(known) = session.and_then(|session| session.source_identity.as_ref()) {
            context.set("sts:SourceIdentity", known.clone());
        }
        for (key, parameter) in [
            ("sts:ExternalId", "ExternalId"),
            ("sts:RoleSessionName", "RoleSessionName"),
            ("sts:SourceIdentity", "SourceIdentity"),
        ] {
            if let Some(value) = self.query.parameter(parameter) {
                context.set(key, value);
            }
        }
        context.set_tags("aws:RequestTag/", &tags.asked);
        context.set_all("aws:TagKeys", tags.asked.keys().cloned());
        let transitive = tags.asked_to_go_on.iter().cloned();
        context.set_all("sts:TransitiveTagKeys", transitive);
        context.set_tags("aws:ResourceTag/", &role.tags);
        context.set_tags("iam:ResourceTag/", &role.tags);
        context
    }

    /// How long the session is to last.
    fn role_seconds(&self, role: &Entity) -> Result<u32, QueryError> {
        let asked = self.seconds()?;
        let kind = self.requester.principal().map(|principal| &principal.kind);
        let chained = matches!(kind, Some(PrincipalKind::Role { .. }));
        let Some(seconds) = asked else {
            return Ok(SECONDS.min(role.session_seconds_max));
        };
        if chained && seconds > CHAINED_SECONDS_MAX {
            return Err(refused(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed \
                 by role chaining.",
            ));
        }
        if seconds > role.session_seconds_max {
            return Err(refused(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        Ok(seconds)
    }

    /// `DurationSeconds`, if given. The model has checked its bounds.
    pub(super) fn seconds(&self) -> Result<Option<u32>, QueryError> {
        let text = self.query.parameter("DurationSeconds");
        let number = text.map(|text| {
            text.parse()
                .map_err(|_| refused("DurationSeconds is not a number"))
        });
        number.transpose()
    }

    /// Nobody here has a second factor, so no code is right.
    pub(super) fn refuse_second_factors(&self) -> Result<(), QueryError> {
        let given = |name| self.query.parameter(name).is_some();
        let message = match (given("SerialNumber"), given("TokenCode")) {
            (false, false) => return Ok(()),
            (true, true) => {
                "MultiFactorAuthentication failed with invalid MFA one time pass code. "
            }
            _ => {
                "MultiFactorAuthentication failed, must provide both MFA serial number and one time \
                 pass code. "
            }
        };
        Err(QueryError::access_denied(message.to_owned()))
    }
}
