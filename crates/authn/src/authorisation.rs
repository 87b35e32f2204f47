//! May the sender of this request do this? One way to ask, for every role that serves requests.
//!
//! ```text
//!   request ─▶ Requester (who, what they may, when, from where)
//!                  └─▶ authorise(Ask: action, resource, its owner and policy) ─▶ Ok, or Denied
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::{Caller, Context, Denied, Permissions, Policy, Question, decide};
use types::{AccountId, Origin, Region, Timestamp};

use crate::identity::{AccessKey, Principal, PrincipalKind, Session};

/// Bytes of a `User-Agent` that policies see: the client chooses its content and its length.
const USER_AGENT_BYTES_MAX: usize = 512;

/// What is known about a request, independent of its sender's identity.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// When it came.
    pub now: Timestamp,
    /// Where from; `None` if the service itself asks.
    pub origin: Option<Origin>,
    /// Its `User-Agent`.
    pub user_agent: Option<String>,
    /// The region it is for.
    pub region: Option<Region>,
}

/// Who sent a request, once its signature is verified; and what is known of it.
#[derive(Clone, Debug)]
pub struct Requester {
    /// Who, and what they may do; `None` if nobody signed.
    signed: Option<Signed>,
    circumstances: Circumstances,
}

#[derive(Clone, Debug)]
struct Signed {
    principal: Principal,
    permissions: Arc<Permissions>,
    session: Option<Session>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// `lambda:GetFunction`.
    pub action: &'a str,
    /// The ARN of what it is done to, or `*`.
    pub resource: &'a str,
    /// Who owns that.
    pub owner: &'a AccountId,
    /// Its own policy, if it has one.
    pub policy: Option<&'a Policy>,
    /// Condition keys that depend on the action, `aws:ResourceTag/…` and `lambda:…`.
    pub context: Context,
}

impl Requester {
    /// Somebody with an access key.
    pub fn signed(key: AccessKey, circumstances: Circumstances) -> Self {
        Self {
            signed: Some(Signed {
                principal: key.principal,
                permissions: key.permissions,
                session: key.session,
            }),
            circumstances,
        }
    }

    /// Somebody without.
    pub fn anonymous(circumstances: Circumstances) -> Self {
        Self {
            signed: None,
            circumstances,
        }
    }

    /// Who it is, if somebody signed.
    pub fn principal(&self) -> Option<&Principal> {
        self.signed.as_ref().map(|signed| &signed.principal)
    }

    /// Where the request came from.
    pub fn origin(&self) -> Option<Origin> {
        self.circumstances.origin
    }

    /// What is known of their session, if they signed with a temporary key.
    pub fn session(&self) -> Option<&Session> {
        self.signed.as_ref()?.session.as_ref()
    }

    /// The account of somebody who signed.
    ///
    /// # Panics
    /// If nobody did: only function URLs are open to strangers.
    pub fn account(&self) -> &AccountId {
        let signed = self
            .signed
            .as_ref()
            .expect("only asked about signed requests");
        &signed.principal.account
    }

    /// Whether it is an account itself, that needs no policy for what it owns.
    pub fn is_root(&self) -> bool {
        self.signed
            .as_ref()
            .is_some_and(|signed| signed.permissions.everything)
    }

    /// Decides.
    pub fn authorise(&self, ask: Ask<'_>) -> Result<(), Denied> {
        self.decide(ask, false)
    }

    /// Decides whether they may become a role; the policy is its trust policy.
    pub fn trusted(&self, ask: Ask<'_>) -> Result<(), Denied> {
        self.decide(ask, true)
    }

    fn decide(&self, ask: Ask<'_>, trust: bool) -> Result<(), Denied> {
        static NOTHING: Permissions = Permissions::NONE;
        let (caller, permissions) = match &self.signed {
            None => (Caller::Anonymous, &NOTHING),
            Some(Signed {
                principal,
                permissions,
                ..
            }) => {
                let own = principal.account == *ask.owner;
                let unlimited = permissions.everything && permissions.session.is_empty();
                if unlimited && own && ask.policy.is_none() {
                    return Ok(());
                }
                (principal.caller(), permissions.as_ref())
            }
        };
        let mut context = self.context();
        context.extend(ask.context);
        decide(&Question {
            caller,
            permissions,
            action: ask.action,
            resource: ask.resource,
            owner: ask.owner.as_str(),
            policy: ask.policy,
            trust,
            context: &context,
        })
    }

    /// The global condition keys.
    fn context(&self) -> Context {
        let mut context = Context::new();
        let Circumstances {
            now,
            origin,
            user_agent,
            region,
        } = &self.circumstances;
        context.set("aws:CurrentTime", now.to_iso_text());
        context.set("aws:EpochTime", now.as_secs().to_string());
        // Only what is certain: a proxy that nobody told us of may have terminated TLS.
        let is_secure = origin.is_some_and(Origin::is_secure);
        context.set("aws:SecureTransport", is_secure.to_string());
        if let Some(origin) = origin {
            context.set("aws:SourceIp", origin.address.to_canonical().to_string());
        }
        if let Some(agent) = user_agent {
            context.set("aws:UserAgent", start(agent, USER_AGENT_BYTES_MAX));
        }
        if let Some(region) = region {
            context.set("aws:RequestedRegion", region.as_str());
        }
        // Nothing here asks in somebody else's name.
        context.set("aws:ViaAWSService", "false");
        context.set("aws:PrincipalIsAWSService", "false");
        let Some(Signed {
            principal,
            permissions,
            session,
        }) = &self.signed
        else {
            context.set("aws:PrincipalType", "Anonymous");
            return context;
        };
        context.set("aws:PrincipalAccount", principal.account.as_str());
        context.set("aws:userid", principal.user_id.clone());
        let (kind, arn) = match &principal.kind {
            PrincipalKind::Root => ("Account", &principal.arn),
            PrincipalKind::User { name } => {
                context.set("aws:username", name.clone());
                ("User", &principal.arn)
            }
            // The key names the role and not its session.
            PrincipalKind::Role { role } => ("AssumedRole", role),
        };
        context.set("aws:PrincipalType", kind);
        context.set("aws:PrincipalArn", arn.clone());
        context.set_tags("aws:PrincipalTag/", &permissions.tags);
        if let Some(session) = session {
            context.extend(session.context());
        }
        context
    }
}

/// The beginning of a text, at most `bytes_max` bytes of it.
fn start(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Session {
    /// The condition keys that only temporary keys have.
    fn context(&self) -> Context {
        let mut context = Context::new();
        context.set("aws:TokenIssueTime", self.issued.to_iso_text());
        // Long-term keys have no such key at all; here nobody has a second factor.
        context.set("aws:MultiFactorAuthPresent", "false");
        if let Some(function) = &self.function {
            context.set("lambda:SourceFunctionArn", function.clone());
        }
        if let Some(identity) = &self.source_identity {
            context.set("aws:SourceIdentity", identity.clone());
        }
        context
    }
}

/// What a request says about tags that are to be given to something.
pub fn request_tags(tags: &BTreeMap<String, String>) -> Context {
    let mut context = Context::new();
    context.set_tags("aws:RequestTag/", tags);
    context.set_all("aws:TagKeys", tags.keys().cloned());
    context
}

/// The tags that something has.
pub fn resource_tags(tags: &BTreeMap<String, String>) -> Context {
    let mut context = Context::new();
    context.set_tags("aws:ResourceTag/", tags);
    context
}

#[cfg(test)]
mod tests {
    use policy::Form;

    use super::*;
    use api::Secret;
    use types::Transport;

    fn requester(policy: &str) -> Requester {
        let policy = Policy::parse(policy, Form::Identity).unwrap();
        let key = AccessKey {
            secret: Secret::new("s"),
            principal: Principal {
                account: AccountId::new("111111111111").unwrap(),
                arn: "arn:aws:iam::111111111111:user/ann".to_owned(),
                user_id: "AIDAX".to_owned(),
                kind: PrincipalKind::User {
                    name: "ann".to_owned(),
                },
            },
            permissions: Arc::new(Permissions {
                policies: vec![Arc::new(policy)],
                ..Permissions::NONE
            }),
            session: None,
        };
        let circumstances = Circumstances {
            now: Timestamp::from_millis(1_769_854_830_123),
            origin: Some(Origin {
                address: [127, 0, 0, 1].into(),
                transport: Transport::Unknown,
            }),
            user_agent: Some("test/1".to_owned()),
            region: Some(Region::new("us-east-1").unwrap()),
        };
        Requester::signed(key, circumstances)
    }

    fn ask(owner: &AccountId) -> Ask<'_> {
        Ask {
            action: "lambda:GetFunction",
            resource: "*",
            owner,
            policy: None,
            context: Context::new().with("lambda:Layer", "x"),
        }
    }

    #[test]
    fn policies_see_the_beginning_of_a_user_agent() {
        assert_eq!(start("agent", 512), "agent");
        assert_eq!(start(&"ä".repeat(300), 511).len(), 510);
        let owner = AccountId::new("111111111111").unwrap();
        let all = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"StringLike":{"aws:UserAgent":"*b"}}}}"#;
        let mut requester = requester(all);
        let agent = "a".repeat(511) + "bc";
        requester.circumstances.user_agent = Some(agent);
        assert_eq!(requester.authorise(ask(&owner)), Ok(()));
    }

    #[test]
    fn the_global_keys_are_there() {
        let owner = AccountId::new("111111111111").unwrap();
        let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"StringEquals":{"aws:username":"ann","aws:PrincipalAccount":"111111111111",
                "aws:PrincipalType":"User","aws:userid":"AIDAX","aws:RequestedRegion":"us-east-1",
                "lambda:Layer":"x","aws:UserAgent":"test/1"},
              "ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:user/ann"},
              "IpAddress":{"aws:SourceIp":"127.0.0.0/8"},"Bool":{"aws:SecureTransport":"false"},
              "DateGreaterThan":{"aws:CurrentTime":"2026-01-31T00:00:00Z"},
              "NumericLessThan":{"aws:EpochTime":"1769854831"}}}}"#;
        assert_eq!(requester(all).authorise(ask(&owner)), Ok(()));
        let other = all.replace("\"ann\"", "\"bob\"");
        assert!(requester(&other).authorise(ask(&owner)).is_err());
        let mut over_tls = requester(all);
        over_tls.circumstances.origin = Some(Origin {
            address: [127, 0, 0, 1].into(),
            transport: Transport::Tls,
        });
        assert!(over_tls.authorise(ask(&owner)).is_err());
    }
}
