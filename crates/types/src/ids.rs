//! Identifiers, all made by one macro: a UUID behind a name of its own, printed with a prefix.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::random::Random;

/// A text that is not an id of the wanted kind.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not an id of the form {prefix}<uuid>")]
pub struct ParseIdError {
    text: String,
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one.
            pub fn random(random: &dyn Random) -> Self {
                Self(random.uuid())
            }

            /// Around a UUID made elsewhere.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID alone.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix)
                    .and_then(|uuid| Uuid::parse_str(uuid).ok())
                    .map(Self)
                    .ok_or_else(|| ParseIdError { text: text.to_owned(), prefix: $prefix })
            }
        }
    };
}

id!(
    /// One request, as its caller sees it in `x-amzn-RequestId`. Printed bare, as AWS does.
    RequestId, ""
);
id!(
    /// One execution environment, for its whole life.
    EnvironmentId, "env-"
);
id!(
    /// One worker: a machine that runs environments, for one run of its process.
    WorkerId, "worker-"
);
id!(
    /// One process of the cluster, for one run of it.
    ProcessId, "process-"
);
id!(
    /// One permit for a concurrent execution, given by counting.
    PermitId, "permit-"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn an_id_survives_its_text() {
        let id = EnvironmentId::random(&SystemRandom);
        assert!(id.to_string().starts_with("env-"));
        assert_eq!(id.to_string().parse::<EnvironmentId>().unwrap(), id);
        assert!("worker-x".parse::<WorkerId>().is_err());
        assert!(id.to_string().parse::<WorkerId>().is_err());
    }
}
