//! Where the outcomes of events and of batches go: `DestinationConfig`, and which ARNs are valid in it.

use serde::{Deserialize, Serialize};
use types::{FunctionArn, FunctionRef, Region, Scope};
use wire::ApiError;

/// `DestinationConfig`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct DestinationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    on_success: Option<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_failure: Option<Destination>,
}

/// `OnSuccess`, `OnFailure`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Destination {
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
}

/// What an ARN leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A queue of SQS.
    Queue,
    /// A topic of SNS.
    Topic,
    /// A function.
    Function(Box<FunctionArn>),
    /// A bus of EventBridge.
    EventBus,
    /// A bucket of S3.
    Bucket,
    /// `kafka://<topic>`.
    KafkaTopic,
}

impl DestinationConfig {
    /// Both sides are shown for events, only failures for batches.
    pub fn of_events(on_success: Option<String>, on_failure: Option<String>) -> Self {
        let side = |destination| Some(Destination { destination });
        Self {
            on_success: side(on_success),
            on_failure: side(on_failure),
        }
    }

    /// As mappings show it.
    pub(crate) fn of_batches(on_failure: Option<String>) -> Self {
        Self {
            on_success: None,
            ..Self::of_events(None, on_failure)
        }
    }

    /// The ARN for successes. An empty one is none.
    pub fn on_success(&self) -> Option<&str> {
        given(&self.on_success)
    }

    /// The ARN for failures. An empty one is none.
    pub fn on_failure(&self) -> Option<&str> {
        given(&self.on_failure)
    }

    /// The refusal of a kind of destination that is not supported here.
    pub fn refused(&self) -> ApiError {
        let shown = |name: &str, side: Option<&str>| match side {
            Some(arn) => format!("{name}(destination={arn})"),
            None => "null".to_owned(),
        };
        ApiError::invalid_parameter(format!(
            "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.",
            shown("OnSuccess", self.on_success()),
            shown("OnFailure", self.on_failure())
        ))
    }
}

fn given(side: &Option<Destination>) -> Option<&str> {
    let arn = side.as_ref()?.destination.as_deref()?;
    Some(arn).filter(|arn| !arn.is_empty())
}

/// What an ARN leads to; `None` for what no outcome can be sent to.
pub fn target(arn: &str, region: &Region) -> Result<Option<Target>, ApiError> {
    if arn.starts_with("kafka://") {
        return Ok(Some(Target::KafkaTopic));
    }
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, in_region, account, resource] = parts[..] else {
        return Err(invalid(arn));
    };
    let found = match service {
        "sqs" | "sns" if resource.ends_with(".fifo") => return Err(invalid(arn)),
        "sqs" => Target::Queue,
        "sns" => Target::Topic,
        "events" if resource.starts_with("event-bus/") => Target::EventBus,
        "s3" => {
            // A whole bucket, not a folder in it.
            let bucket = in_region.is_empty() && account.is_empty() && is_bucket(resource);
            return bucket
                .then_some(Some(Target::Bucket))
                .ok_or_else(|| invalid(arn));
        }
        "lambda" => Target::Function(Box::new(function(arn)?)),
        _ => return Ok(None),
    };
    if in_region != region.as_str() || account.is_empty() || resource.is_empty() {
        return Err(invalid(arn));
    }
    Ok(Some(found))
}

fn is_bucket(name: &str) -> bool {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.bytes().all(may)
}

fn function(arn: &str) -> Result<FunctionArn, ApiError> {
    let parsed = FunctionRef::parse(arn).map_err(|_| invalid(arn))?;
    let (Some(account), Some(region)) = (parsed.account, parsed.region) else {
        return Err(invalid(arn));
    };
    Ok(FunctionArn {
        scope: Scope { account, region },
        name: parsed.name,
        qualifier: parsed.qualifier,
    })
}

/// The refusal of an ARN that is no destination at all.
pub fn invalid(arn: &str) -> ApiError {
    ApiError::invalid_parameter(format!("The destination ARN {arn} is invalid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arn: &str, expected: Result<Option<Target>, &str>) {
        let region = Region::new("us-east-1").unwrap();
        let found = target(arn, &region).map_err(|error| error.message);
        let expected = expected.map_err(|_| format!("The destination ARN {arn} is invalid."));
        assert_eq!(found, expected, "{arn}");
    }

    #[test]
    fn each_kind_of_destination_is_known_by_its_arn() {
        check(
            "arn:aws:sqs:us-east-1:000000000000:q",
            Ok(Some(Target::Queue)),
        );
        check(
            "arn:aws:sns:us-east-1:000000000000:t",
            Ok(Some(Target::Topic)),
        );
        check(
            "arn:aws:events:us-east-1:000000000000:event-bus/default",
            Ok(Some(Target::EventBus)),
        );
        check("arn:aws:s3:::bucket", Ok(Some(Target::Bucket)));
        check("kafka://topic", Ok(Some(Target::KafkaTopic)));
        check("arn:aws:iam::000000000000:role/r", Ok(None));
    }

    #[test]
    fn what_cannot_be_a_destination_is_refused() {
        for arn in [
            "arn:aws:sqs:us-east-1:000000000000:q.fifo",
            "arn:aws:sns:us-east-1:000000000000:t.fifo",
            "arn:aws:sqs:us-west-2:000000000000:q",
            "arn:aws:sqs:us-east-1:000000000000:",
            "arn:aws:s3:us-east-1:000000000000:bucket",
            "arn:aws:s3:::bucket/folder",
            "arn:aws:s3:::bucket:x",
            "arn:aws:s3:::",
            "arn:aws:lambda:us-east-1:000000000000:layer:l",
            "arn:aws:sqs",
        ] {
            check(arn, Err("invalid"));
        }
    }
}
