//! What is journalled: the records from which a partition's set of environments can be restored.
//!
//! ```text
//!   record    {"v":1,"<command>":{…}}          JSON, some 250 bytes
//!
//!   Claimed   leader, term                     who writes from here on
//!   Created   environment, function, worker, zone, lends_until, lease_end, ahead
//!   Ready     environment                      init is over, it takes invokes
//!   Retired   environment, reason              it is gone, or about to be
//! ```
//!
//! Records are kept compatible: a field once written is read for ever, a new field has a default,
//! and a version nobody knows stops the bootstrap instead of being guessed at.

use bytes::Bytes;
use records::functions::FunctionKey;
use serde::{Deserialize, Serialize};
use types::{EnvironmentId, Timestamp, WorkerId};

/// The version this code writes, and the only one there is.
const VERSION: u32 = 1;

/// One record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    /// A replica leads the partition: everybody else's appends are fenced.
    Claimed {
        /// A number it drew for this: of two replicas that claim at the same position, each finds by it whose record
        /// is there (`writer::append`).
        leader: u64,
        /// The position of this record: later claims have greater terms.
        term: u64,
    },
    /// An environment is being made.
    Created(Created),
    /// It takes invokes.
    Ready {
        /// Which.
        environment: EnvironmentId,
    },
    /// It has ended, or was given up.
    Retired {
        /// Which.
        environment: EnvironmentId,
        /// Why, for people who read journals.
        reason: Reason,
    },
}

/// See [`Command::Created`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Created {
    pub(crate) environment: EnvironmentId,
    pub(crate) function: FunctionKey,
    pub(crate) worker: WorkerId,
    pub(crate) zone: String,
    /// From then on it takes no new invoke: the lease's end less the longest invoke and a margin.
    pub(crate) lends_until: Timestamp,
    pub(crate) lease_end: Timestamp,
    /// Whether it is provisioned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ahead: bool,
}

/// Why an environment was retired.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// Its creation failed.
    NotMade,
    /// Nobody wanted it for [`crate::Config::idle_timeout`].
    Idle,
    /// Its lease ends.
    Lease,
    /// Its function has changed.
    Superseded,
    /// Another function needed its room.
    Evicted,
    /// More are provisioned than are requested.
    Surplus,
    /// This replica, or its worker, is shutting down.
    Drained,
    /// Its worker reports that it has ended, or is gone itself.
    Gone,
    /// A new leader did not find it, or found it and no record of it.
    Lost,
}

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("it is not a record of this journal")]
    Malformed(#[source] serde_json::Error),
    #[error("it is of version {0}, and this program knows version {VERSION} only")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    v: u32,
    #[serde(flatten)]
    command: Command,
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

impl Command {
    pub(crate) fn encode(&self) -> Bytes {
        let envelope = Envelope {
            v: VERSION,
            command: self.clone(),
        };
        Bytes::from(serde_json::to_vec(&envelope).expect("names, numbers and ids are always JSON"))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        // The version first: what another version's commands look like, nobody here knows.
        let VersionOnly { v } = serde_json::from_slice(bytes).map_err(DecodeError::Malformed)?;
        if v != VERSION {
            return Err(DecodeError::Version(v));
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(DecodeError::Malformed)?;
        Ok(envelope.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{created, environment};

    fn check(command: &Command, expected: &str) {
        let bytes = command.encode();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
        assert_eq!(&Command::decode(&bytes).unwrap(), command);
    }

    #[test]
    fn records_keep_their_form() {
        check(
            &Command::Claimed { leader: 7, term: 3 },
            r#"{"v":1,"claimed":{"leader":7,"term":3}}"#,
        );
        check(
            &Command::Created(created(1)),
            concat!(
                r#"{"v":1,"created":{"environment":"00000000-0000-0000-0000-000000000001","#,
                r#""function":{"scope":{"account":"000000000000","region":"us-east-1"},"#,
                r#""name":"f","version":"$LATEST","generation":1},"#,
                r#""worker":"00000000-0000-0000-0000-000000000001","zone":"a","#,
                r#""lends_until":7000000,"lease_end":8000000}}"#
            ),
        );
        let ahead = Command::Created(Created {
            ahead: true,
            ..created(1)
        });
        let text = String::from_utf8(ahead.encode().to_vec()).unwrap();
        assert!(text.ends_with(r#""lease_end":8000000,"ahead":true}}"#));
        assert_eq!(Command::decode(text.as_bytes()).unwrap(), ahead);
        check(
            &Command::Ready {
                environment: environment(1),
            },
            r#"{"v":1,"ready":{"environment":"00000000-0000-0000-0000-000000000001"}}"#,
        );
        check(
            &Command::Retired {
                environment: environment(1),
                reason: Reason::NotMade,
            },
            concat!(
                r#"{"v":1,"retired":{"environment":"00000000-0000-0000-0000-000000000001","#,
                r#""reason":"not_made"}}"#
            ),
        );
    }

    #[test]
    fn what_cannot_be_understood_is_not_guessed_at() {
        let newer = Command::decode(br#"{"v":2,"renamed":{}}"#);
        assert!(matches!(newer, Err(DecodeError::Version(2))));
        for bytes in [
            &b""[..],
            b"{}",
            b"\xff",
            br#"{"v":1}"#,
            br#"{"v":1,"ready":{}}"#,
        ] {
            assert!(matches!(
                Command::decode(bytes),
                Err(DecodeError::Malformed(_))
            ));
        }
    }
}
