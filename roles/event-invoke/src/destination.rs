//! Where outcomes go: read from an ARN. Pure.
//!
//! ```text
//!   arn:aws:sqs:<region>:<account>:<queue>              arn:aws:sns:<region>:<account>:<topic>
//!   arn:aws:events:<region>:<account>:event-bus/<bus>   arn:aws:s3:::<bucket>
//!   arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]
//! ```

use serde::{Deserialize, Serialize};
use types::{FunctionArn, FunctionRef, Scope};

/// A place that takes outcomes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Destination {
    /// A queue.
    Sqs(Place),
    /// A topic.
    Sns(Place),
    /// An event bus.
    EventBridge(Place),
    /// A bucket.
    S3 {
        /// Its name.
        bucket: String,
    },
    /// Another function, or the same.
    Function(FunctionArn),
}

/// Something of an account in a region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// The whole ARN.
    pub(crate) arn: String,
    pub(crate) region: String,
    pub(crate) account: String,
    /// What is named there.
    pub(crate) name: String,
}

/// An ARN that names no such place.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{arn} is not the ARN of a destination")]
pub(crate) struct Error {
    arn: String,
}

impl Destination {
    /// Reads an ARN.
    pub(crate) fn parse(arn: &str) -> Result<Self, Error> {
        let wrong = || Error {
            arn: arn.to_owned(),
        };
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, name] = parts[..] else {
            return Err(wrong());
        };
        if !partition.starts_with("aws") || name.is_empty() {
            return Err(wrong());
        }
        let place = |name: &str| Place {
            arn: arn.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        };
        match service {
            "sqs" => Ok(Self::Sqs(place(name))),
            "sns" => Ok(Self::Sns(place(name))),
            "events" => {
                let bus = name.strip_prefix("event-bus/").ok_or_else(wrong)?;
                Ok(Self::EventBridge(place(bus)))
            }
            "s3" => Ok(Self::S3 {
                bucket: name.to_owned(),
            }),
            "lambda" => function(arn).map(Self::Function).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }

    /// Its ARN.
    pub(crate) fn arn(&self) -> String {
        match self {
            Self::Sqs(place) | Self::Sns(place) | Self::EventBridge(place) => place.arn.clone(),
            Self::S3 { bucket } => format!("arn:aws:s3:::{bucket}"),
            Self::Function(arn) => arn.to_string(),
        }
    }
}

fn function(arn: &str) -> Option<FunctionArn> {
    let named = FunctionRef::parse(arn).ok()?;
    let scope = Scope {
        account: named.account?,
        region: named.region?,
    };
    Some(FunctionArn {
        scope,
        name: named.name,
        qualifier: named.qualifier,
    })
}

impl TryFrom<String> for Destination {
    type Error = Error;
    fn try_from(arn: String) -> Result<Self, Error> {
        Self::parse(&arn)
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.arn()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_is_read_and_written_as_it_was() {
        for arn in [
            "arn:aws:sqs:us-east-1:000000000000:queue",
            "arn:aws:sns:us-east-1:000000000000:topic",
            "arn:aws:events:us-east-1:000000000000:event-bus/default",
            "arn:aws:s3:::bucket",
            "arn:aws:lambda:us-east-1:000000000000:function:g",
            "arn:aws:lambda:us-east-1:000000000000:function:g:live",
        ] {
            assert_eq!(Destination::parse(arn).unwrap().arn(), arn);
        }
    }

    #[test]
    fn what_is_named_is_found() {
        let bus = Destination::parse("arn:aws:events:eu-west-1:000000000000:event-bus/orders");
        let Destination::EventBridge(place) = bus.unwrap() else {
            panic!("a bus")
        };
        assert_eq!(
            (place.name.as_str(), place.region.as_str()),
            ("orders", "eu-west-1")
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for arn in [
            "",
            "arn:aws:sqs:us-east-1:0:",
            "arn:aws:events:us-east-1:0:x",
            "arn:x:y",
            "arn:aws:dynamodb:us-east-1:0:table/t",
            "arn:aws:lambda:us-east-1:1:function:f",
        ] {
            assert!(Destination::parse(arn).is_err(), "{arn}");
        }
    }

    proptest! {
        #[test]
        fn no_arn_panics(arn in "(arn:aws:(sqs|sns|events|s3|lambda):)?[a-z0-9:/-]{0,40}") {
            if let Ok(destination) = Destination::parse(&arn) {
                prop_assert_eq!(Destination::parse(&destination.arn()).unwrap(), destination);
            }
        }
    }
}
