//! The roles that a process of a cluster can have.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a process is in the cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Lambda's API, IAM, STS and CloudWatch Logs, and what is done in the background for them.
    Control,
    /// Credentials of execution roles.
    Identity,
    /// Synchronous invokes, and all that clients send.
    Frontend,
    /// Concurrency.
    Counting,
    /// Environments lent.
    Assignment,
    /// Workers chosen.
    Placement,
    /// Environments run.
    Worker,
    /// Asynchronous invokes.
    EventInvoke,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Control,
        Self::Identity,
        Self::Frontend,
        Self::Counting,
        Self::Assignment,
        Self::Placement,
        Self::Worker,
        Self::EventInvoke,
    ];

    /// As certificates, configurations and the command line name it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Identity => "identity",
            Self::Frontend => "frontend",
            Self::Counting => "counting",
            Self::Assignment => "assignment",
            Self::Placement => "placement",
            Self::Worker => "worker",
            Self::EventInvoke => "event-invoke",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A text that names no role.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} is no role: control, identity, frontend, counting, assignment, placement, worker or event-invoke"
)]
pub struct NoRole(String);

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, NoRole> {
        let found = Self::ALL.into_iter().find(|role| role.word() == text);
        found.ok_or_else(|| NoRole(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert!("Worker".parse::<Role>().is_err());
    }
}
