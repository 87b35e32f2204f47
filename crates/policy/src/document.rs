//! A policy that was read, and what it says about one request.

use crate::condition::Condition;
use crate::context::Context;
use crate::glob::{Pattern, Reach, Steps, matches};
use crate::principal::{Caller, Grant, Principal};

/// A policy document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    pub(crate) statements: Vec<Statement>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Statement {
    pub(crate) allow: bool,
    /// `None` in policies that belong to somebody, who is then meant.
    pub(crate) principals: Option<List<Principal>>,
    pub(crate) actions: List<Pattern>,
    /// `None` in trust policies, which are about the role they belong to.
    pub(crate) resources: Option<List<Pattern>>,
    pub(crate) conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, and so on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum List<T> {
    Only(Vec<T>),
    AllBut(Vec<T>),
}

/// What a policy says about a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// Nothing.
    Silent,
    /// Yes, for people of this account if the account says so too. Only policies of resources can.
    Account,
    /// Yes, to everybody or all sessions of a role, the caller among them.
    Broad,
    /// Yes.
    Allow,
    /// No, whatever else is said.
    Deny,
}

/// Steps that all policies of a decision may take together: what a request brings is compared with what
/// policies say, and their product has no bound of its own. A step takes a few nanoseconds; decisions by
/// the largest policies that people write take some ten thousand.
pub(crate) const STEPS_MAX: u32 = 4_000_000;

/// What policies are asked about.
pub(crate) struct Request<'r> {
    pub(crate) caller: &'r Caller<'r>,
    pub(crate) action: &'r str,
    pub(crate) resource: &'r str,
    pub(crate) context: &'r Context,
}

impl Policy {
    /// Denies everything: stands for a policy that cannot be read, so that none of its denials is
    /// lost.
    pub fn deny_all() -> Self {
        let everything =
            || vec![Pattern::parse("*", false).expect("a star without variables is read")];
        Self {
            statements: vec![Statement {
                allow: false,
                principals: None,
                actions: List::Only(everything()),
                resources: Some(List::Only(everything())),
                conditions: Vec::new(),
            }],
        }
    }

    /// What it says about `action` on `resource` by `caller`. A decision that takes more than
    /// [`STEPS_MAX`] steps denies.
    pub fn verdict(
        &self,
        caller: &Caller<'_>,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Verdict {
        let request = Request {
            caller,
            action,
            resource,
            context,
        };
        self.judge(&request, &Steps::new(STEPS_MAX))
    }

    /// The same with these steps; when they are spent, it denies.
    pub(crate) fn judge(&self, request: &Request<'_>, steps: &Steps) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in &self.statements {
            let said = statement.verdict(request, steps);
            if steps.are_spent() {
                return Verdict::Deny;
            }
            verdict = verdict.max(said);
        }
        verdict
    }
}

impl Statement {
    fn verdict(&self, request: &Request<'_>, steps: &Steps) -> Verdict {
        let grant = self.grant(request.caller);
        let context = request.context;
        let means = |pattern: &Pattern, text: &str, reach| {
            let filled = pattern.fill(context)?;
            Some(steps.take(1) && matches(&filled, text, reach, steps))
        };
        let is_action = |pattern: &Pattern| means(pattern, request.action, Reach::AnyCase);
        let is_resource = |pattern: &Pattern| means(pattern, request.resource, Reach::Resource);
        let resources = self.resources.as_ref();
        let applies = grant != Grant::None
            && self.actions.means(is_action, self.allow)
            && resources.is_none_or(|list| list.means(is_resource, self.allow))
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(context, self.allow, steps));
        match (applies, self.allow, grant) {
            (false, ..) | (_, _, Grant::None) => Verdict::Silent,
            (true, false, _) => Verdict::Deny,
            (true, true, Grant::Account) => Verdict::Account,
            (true, true, Grant::Broad) => Verdict::Broad,
            (true, true, Grant::Exact) => Verdict::Allow,
        }
    }

    fn grant(&self, caller: &Caller<'_>) -> Grant {
        let grants = |principals: &[Principal]| {
            let grants = principals.iter().map(|principal| principal.grant(caller));
            grants.max().unwrap_or(Grant::None)
        };
        match &self.principals {
            None => Grant::Exact,
            Some(List::Only(principals)) => grants(principals),
            Some(List::AllBut(principals)) => match grants(principals) {
                Grant::None => Grant::Broad,
                _ => Grant::None,
            },
        }
    }
}

impl<T> List<T> {
    /// Whether this means something. `matches` does not know (`None`) where a variable has no
    /// value: such an entry names nothing, and as an exception it is understood so that less is
    /// allowed and more denied.
    fn means(&self, matches: impl Fn(&T) -> Option<bool>, allow: bool) -> bool {
        match self {
            Self::Only(list) => list.iter().any(|entry| matches(entry).unwrap_or(false)),
            Self::AllBut(list) => !list.iter().any(|entry| matches(entry).unwrap_or(allow)),
        }
    }
}
