//! May they? All policies that have a say, taken together.
//!
//! ```text
//!   any policy denies                                    no
//!   same account:   the resource's policy means them ─┐
//!                   or their own policies allow ──────┴─ yes, if boundary and session allow too
//!   a role:         its trust policy means them, or their account and their own policies allow
//!   other account:  the resource's policy means them or their account,
//!                   and their own policies allow         yes
//!   otherwise                                            no
//! ```
//!
//! A resource's policy that names a user or a session itself reaches past boundary and session
//! policies; one that names a role or everybody does not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use types::ForCallers;

use crate::context::Context;
use crate::document::{Policy, Request, STEPS_MAX, Verdict};
use crate::glob::Steps;
use crate::principal::Caller;

/// What somebody's own policies are.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Permissions {
    /// An account's root: no policy is needed.
    pub everything: bool,
    /// Attached and inline: any may allow.
    pub policies: Vec<Arc<Policy>>,
    /// Must allow as well.
    pub boundary: Option<Arc<Policy>>,
    /// Given when the session began: one of them must allow as well. Empty where none was given.
    pub session: Vec<Arc<Policy>>,
    /// What `aws:PrincipalTag/…` says.
    pub tags: BTreeMap<String, String>,
}

impl Permissions {
    /// None whatever.
    pub const NONE: Self = Self {
        everything: false,
        policies: Vec::new(),
        boundary: None,
        session: Vec::new(),
        tags: BTreeMap::new(),
    };
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// Who asks.
    pub caller: Caller<'q>,
    /// What they may by themselves.
    pub permissions: &'q Permissions,
    /// `lambda:GetFunction`.
    pub action: &'q str,
    /// An ARN, or `*`.
    pub resource: &'q str,
    /// The account that has the resource.
    pub owner: &'q str,
    /// The resource's own policy.
    pub policy: Option<&'q Policy>,
    /// Whether that policy must say yes, whatever their own say: nobody becomes a role that does
    /// not trust them.
    pub trust: bool,
    /// All else that is known.
    pub context: &'q Context,
}

/// Whose policy decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The caller's own.
    Identity,
    /// The resource's.
    Resource,
    /// The boundary of the caller's permissions.
    Boundary,
    /// The session's.
    Session,
}

/// How it decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It says no.
    Explicit(Kind),
    /// It says nothing.
    Implicit(Kind),
}

/// No; and why. Its text is the one AWS answers with.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("User: {caller} is not authorized to perform: {action} on resource: {resource} {}", Reason(*.why, .action))]
pub struct Denied {
    /// ARN of the requester.
    pub caller: String,
    /// What for.
    pub action: String,
    /// Of what.
    pub resource: String,
    /// Why not.
    pub why: Why,
}

impl ForCallers for Denied {}

struct Reason<'a>(Why, &'a str);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |kind| match kind {
            Kind::Identity => "identity-based policy",
            Kind::Resource => "resource-based policy",
            Kind::Boundary => "permissions boundary",
            Kind::Session => "session policy",
        };
        match self.0 {
            Why::Explicit(kind) => {
                let article = if kind == Kind::Identity { "an" } else { "a" };
                write!(f, "with an explicit deny in {article} {}", name(kind))
            }
            Why::Implicit(kind) => {
                write!(f, "because no {} allows the {} action", name(kind), self.1)
            }
        }
    }
}

/// Decides.
pub fn decide(question: &Question<'_>) -> Result<(), Denied> {
    judge(question).map_err(|why| Denied {
        caller: question.caller.name(),
        action: question.action.to_owned(),
        resource: question.resource.to_owned(),
        why,
    })
}

fn judge(question: &Question<'_>) -> Result<(), Why> {
    let request = Request {
        caller: &question.caller,
        action: question.action,
        resource: question.resource,
        context: question.context,
    };
    let steps = Steps::new(STEPS_MAX);
    let ask = |policy: &Policy| policy.judge(&request, &steps);
    let permissions = question.permissions;
    let all = |policies: &[Arc<Policy>]| {
        let verdicts = policies.iter().map(|policy| ask(policy));
        verdicts.max().unwrap_or(Verdict::Silent)
    };
    let own = match permissions.everything {
        true => Verdict::Allow,
        false => all(&permissions.policies),
    };
    let boundary = permissions.boundary.as_deref().map(ask);
    let session = (!permissions.session.is_empty()).then(|| all(&permissions.session));
    let resource = question.policy.map_or(Verdict::Silent, ask);
    for (verdict, kind) in [
        (Some(own), Kind::Identity),
        (Some(resource), Kind::Resource),
        (boundary, Kind::Boundary),
        (session, Kind::Session),
    ] {
        if verdict == Some(Verdict::Deny) {
            return Err(Why::Explicit(kind));
        }
    }
    let limits = || {
        let allows = |limit: Option<Verdict>| limit.is_none_or(|verdict| verdict == Verdict::Allow);
        match (allows(boundary), allows(session)) {
            (false, _) => Err(Why::Implicit(Kind::Boundary)),
            (_, false) => Err(Why::Implicit(Kind::Session)),
            (true, true) => Ok(()),
        }
    };
    let Some(account) = question.caller.account() else {
        // Strangers and services have no policies of their own.
        return match resource >= Verdict::Broad {
            true => Ok(()),
            false => Err(Why::Implicit(Kind::Resource)),
        };
    };
    if account == question.owner {
        return match (resource, own) {
            (Verdict::Allow, _) => Ok(()),
            (Verdict::Broad, _) => limits(),
            (Verdict::Silent, _) if question.trust => Err(Why::Implicit(Kind::Resource)),
            (_, Verdict::Allow) => limits(),
            _ => Err(Why::Implicit(Kind::Identity)),
        };
    }
    if own != Verdict::Allow {
        return Err(Why::Implicit(Kind::Identity));
    }
    limits()?;
    match resource >= Verdict::Account {
        true => Ok(()),
        false => Err(Why::Implicit(Kind::Resource)),
    }
}

#[cfg(test)]
mod tests;
