//! Names of layers and of their versions.
//!
//! ```text
//!   arn:aws:lambda:us-east-1:123456789012:layer:name          a layer
//!   arn:aws:lambda:us-east-1:123456789012:layer:name:7        a version of it
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{AccountId, LayerName, NameError, Region, Scope};

/// A layer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LayerArn {
    /// Whose, and where.
    pub scope: Scope,
    /// Its name.
    pub name: LayerName,
}

/// A version of a layer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LayerVersionArn {
    /// The layer.
    pub layer: LayerArn,
    /// The version, from 1 upward.
    pub number: u64,
}

impl LayerArn {
    /// Reads a layer's ARN.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            [
                "arn",
                "aws" | "aws-cn" | "aws-us-gov",
                "lambda",
                region,
                account,
                "layer",
                name,
            ] => Ok(Self {
                scope: Scope {
                    account: AccountId::new(account)?,
                    region: Region::new(region)?,
                },
                name: LayerName::new(name)?,
            }),
            _ => Err(NameError {
                kind: "layer ARN",
                value: text.to_owned(),
                rule: "arn:aws:lambda:REGION:ACCOUNT:layer:NAME",
            }),
        }
    }

    /// One of its versions.
    pub fn version(&self, number: u64) -> LayerVersionArn {
        LayerVersionArn {
            layer: self.clone(),
            number,
        }
    }
}

impl LayerVersionArn {
    /// Reads a layer version's ARN.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError {
            kind: "layer version ARN",
            value: text.to_owned(),
            rule: "arn:aws:lambda:REGION:ACCOUNT:layer:NAME:NUMBER",
        };
        let (layer, number) = text.rsplit_once(':').ok_or_else(wrong)?;
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
        Ok(LayerArn::parse(layer)?.version(number))
    }
}

impl fmt::Display for LayerArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope { account, region } = &self.scope;
        write!(f, "arn:aws:lambda:{region}:{account}:layer:{}", self.name)
    }
}

impl fmt::Display for LayerVersionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.layer, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_read_and_written_alike() {
        let text = "arn:aws:lambda:us-east-1:000000000000:layer:my-layer_1:7";
        let arn = LayerVersionArn::parse(text).unwrap();
        assert_eq!(arn.number, 7);
        assert_eq!(arn.to_string(), text);
        assert_eq!(LayerArn::parse(&arn.layer.to_string()), Ok(arn.layer));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            ":",
            "my-layer",
            "arn:aws:lambda:us-east-1:000000000000:layer:my-layer",
            "arn:aws:lambda:us-east-1:000000000000:layer:my-layer:",
            "arn:aws:lambda:us-east-1:000000000000:layer:my-layer:+1",
            "arn:aws:lambda:us-east-1:000000000000:layer:my-layer:99999999999999999999999",
            "arn:aws:lambda:us-east-1:0:layer:my-layer:1",
            "arn:aws:lambda:us-east-1:000000000000:function:my-layer:1",
            "arn:aws:lambda:us-east-1:000000000000:layer:a/b:1",
        ] {
            assert!(LayerVersionArn::parse(bad).is_err(), "{bad}");
        }
    }
}
