//! Names people and AWS choose: accounts, regions, functions, versions, aliases, layers.
//!
//! Each is checked when it is made, so that the rest of the system never asks again.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::words::ForCallers;

/// A name that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a valid {kind}: {rule}")]
pub struct NameError {
    /// What it should have been.
    pub kind: &'static str,
    /// What it was.
    pub value: String,
    /// The rule it breaks, for people.
    pub rule: &'static str,
}

impl ForCallers for NameError {}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the rule and keeps the name.
            pub fn new(value: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(value) {
                    return Ok(Self(Arc::from(value)));
                }
                Err(NameError { kind: $kind, value: value.to_owned(), rule: $rule })
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(value: String) -> Result<Self, NameError> {
                Self::new(&value)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// An AWS account: twelve digits.
    AccountId, "account", "twelve digits", |text| text.len() == 12
        && text.bytes().all(|b| b.is_ascii_digit())
);
name!(
    /// A region, `us-east-1`. Any name of that alphabet is taken: one server serves every region.
    Region, "region", "1 to 32 of a-z, 0-9 and '-'", |text| (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);
name!(
    /// A function's name, without account, ARN or qualifier.
    FunctionName, "function name", "1 to 64 of letters, digits, '-' and '_'", |text| {
        (1..=64).contains(&text.len()) && text.bytes().all(is_word)
    }
);
name!(
    /// An alias: never all digits, so that it cannot be mistaken for a version.
    AliasName, "alias", "1 to 128 of letters, digits, '-' and '_', not all digits", |text| {
        (1..=128).contains(&text.len())
            && text.bytes().all(is_word)
            && !text.bytes().all(|b| b.is_ascii_digit())
    }
);
name!(
    /// A layer's name, without account, ARN or version.
    LayerName, "layer name", "1 to 140 of letters, digits, '-' and '_'", |text| {
        (1..=140).contains(&text.len()) && text.bytes().all(is_word)
    }
);

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Whose resources, and where: an account in a region.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Scope {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

/// A version of a function: `$LATEST`, or a published number from 1 upward.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Version {
    /// The one that changes.
    Latest,
    /// A published one; never changes.
    Published(u64),
}

impl Version {
    /// From `$LATEST` or a number without leading zeros.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text == "$LATEST" {
            return Ok(Self::Latest);
        }
        match text.parse() {
            Ok(number) if number > 0 && !text.starts_with(['0', '+']) => {
                Ok(Self::Published(number))
            }
            _ => Err(NameError {
                kind: "version",
                value: text.to_owned(),
                rule: "$LATEST or a number from 1",
            }),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Published(number) => write!(f, "{number}"),
        }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Version {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_obey_their_rules() {
        assert!(FunctionName::new("my-function_1").is_ok());
        assert!(FunctionName::new("").is_err());
        assert!(FunctionName::new(&"a".repeat(65)).is_err());
        assert!(FunctionName::new("a/b").is_err());
        assert!(AliasName::new("123").is_err());
        assert!(AliasName::new("v123").is_ok());
        assert!(AccountId::new("12345678901").is_err());
        assert!(Region::new("../etc").is_err());
    }

    #[test]
    fn versions_are_latest_or_a_number_from_one() {
        assert_eq!(Version::parse("$LATEST"), Ok(Version::Latest));
        assert_eq!(Version::parse("7"), Ok(Version::Published(7)));
        for bad in ["0", "-1", "+1", "01", "", "x", "99999999999999999999999"] {
            assert!(Version::parse(bad).is_err(), "{bad}");
        }
    }
}
