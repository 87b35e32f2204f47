//! The forms in which callers name a function, and the full form in which we name it.
//!
//! ```text
//!   name                                              name:qualifier
//!   123456789012:function:name                        123456789012:function:name:qualifier
//!   123456789012:name                                 123456789012:name:qualifier
//!   function:name                                     function:name:qualifier
//!   arn:aws:lambda:us-east-1:123456789012:function:name[:qualifier]
//! ```

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::names::{AccountId, AliasName, FunctionName, NameError, Region, Scope, Version};

/// What stands behind a function's name: a version or an alias.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Qualifier {
    /// `$LATEST` or a number.
    Version(Version),
    /// A name that points at versions.
    Alias(AliasName),
}

impl Qualifier {
    /// From the text after the last colon or in `?Qualifier=`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match Version::parse(text) {
            Ok(version) => Ok(Self::Version(version)),
            Err(_) => AliasName::new(text).map(Self::Alias),
        }
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => fmt::Display::fmt(version, f),
            Self::Alias(alias) => fmt::Display::fmt(alias, f),
        }
    }
}

/// Names what a runtime's functions run (`RuntimeVersionArn`); the same name gives the same hash.
pub fn runtime_version_arn(runtime: &str, region: &Region) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, runtime.as_bytes());
    let hash = HEXLOWER.encode(digest.as_ref());
    format!("arn:aws:lambda:{region}::runtime:{hash}")
}

/// A function as a caller named it; what was left out is `None`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionRef {
    /// Given with a full ARN only.
    pub region: Option<Region>,
    /// Given with a full or partial ARN.
    pub account: Option<AccountId>,
    /// The name.
    pub name: FunctionName,
    /// After the name.
    pub qualifier: Option<Qualifier>,
}

impl FunctionRef {
    /// Reads any of the forms above.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (region, account, rest) = match parts.as_slice() {
            [
                "arn",
                "aws" | "aws-cn" | "aws-us-gov",
                "lambda",
                region,
                account,
                "function",
                rest @ ..,
            ] => (
                Some(Region::new(region)?),
                Some(AccountId::new(account)?),
                rest,
            ),
            [account, "function", rest @ ..] if !rest.is_empty() => {
                (None, Some(AccountId::new(account)?), rest)
            }
            ["function", rest @ ..] if !rest.is_empty() => (None, None, rest),
            // Twelve digits before a name are an account, not a name before a qualifier (the public model).
            [account, rest @ ..] if AccountId::new(account).is_ok() && !rest.is_empty() => {
                (None, Some(AccountId::new(account)?), rest)
            }
            rest => (None, None, rest),
        };
        let (name, qualifier) = match rest {
            [name] => (name, None),
            [name, qualifier] => (name, Some(Qualifier::parse(qualifier)?)),
            _ => {
                return Err(NameError {
                    kind: "function name",
                    value: text.to_owned(),
                    rule: "a name, a partial ARN or an ARN, each with an optional qualifier",
                });
            }
        };
        Ok(Self {
            region,
            account,
            name: FunctionName::new(name)?,
            qualifier,
        })
    }
}

/// A function, or a version or alias of it, in full.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct FunctionArn {
    /// Whose, and where.
    pub scope: Scope,
    /// The name.
    pub name: FunctionName,
    /// `None` for the unqualified ARN.
    pub qualifier: Option<Qualifier>,
}

impl FunctionArn {
    /// The same function with another qualifier.
    pub fn qualified(&self, qualifier: Qualifier) -> Self {
        Self {
            qualifier: Some(qualifier),
            ..self.clone()
        }
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope { account, region } = &self.scope;
        write!(
            f,
            "arn:aws:lambda:{region}:{account}:function:{}",
            self.name
        )?;
        match &self.qualifier {
            Some(qualifier) => write!(f, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, Option<&str>)>) {
        let parsed = FunctionRef::parse(text).ok();
        let parsed = parsed.map(|f| (f.name.to_string(), f.qualifier.map(|q| q.to_string())));
        let expected = expected.map(|(n, q)| (n.to_owned(), q.map(str::to_owned)));
        assert_eq!(parsed, expected, "{text}");
    }

    #[test]
    fn every_documented_form_is_read() {
        check("f", Some(("f", None)));
        check("f:1", Some(("f", Some("1"))));
        check("f:$LATEST", Some(("f", Some("$LATEST"))));
        check("000000000000:function:f", Some(("f", None)));
        check("000000000000:function:f:live", Some(("f", Some("live"))));
        check("function:f:live", Some(("f", Some("live"))));
        check(
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            Some(("f", None)),
        );
        check(
            "arn:aws:lambda:us-east-1:000000000000:function:f:7",
            Some(("f", Some("7"))),
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            ":",
            "f:",
            "a:b:c:d",
            "arn:aws:lambda:us-east-1:1:function:f",
            "a b",
            "arn:aws:s3:us-east-1:000000000000:function:f",
        ] {
            check(text, None);
        }
    }
}
