//! Where a new mapping begins to read.

use records::event_sources::{Source, StartingPosition};
use types::Timestamp;
use wire::ApiError;

use super::members::Members;
use super::source::Kind;

/// Where a new mapping begins to read.
pub fn starting_position(
    members: &Members,
    source: &Source,
    now: Timestamp,
) -> Result<Option<StartingPosition>, ApiError> {
    let kind = Kind::of(source);
    if !kind.has_position() {
        return Ok(None);
    }
    let position = match members.starting_position.as_deref() {
        Some("TRIM_HORIZON") => StartingPosition::TrimHorizon,
        Some("LATEST") => StartingPosition::Latest,
        Some("AT_TIMESTAMP") if matches!(kind, Kind::DynamoDb | Kind::DocumentDb) => {
            return Err(ApiError::invalid_parameter(format!(
                "Unsupported starting position for arn type: {}",
                source.arn().unwrap_or_default()
            )));
        }
        Some("AT_TIMESTAMP") => StartingPosition::AtTimestamp(timestamp(members, now)?),
        // AWS has this message for brokers that it does not run itself.
        _ if matches!(source, Source::SelfManagedKafka { .. }) => StartingPosition::TrimHorizon,
        _ => return Err(null("startingPosition")),
    };
    let at = matches!(position, StartingPosition::AtTimestamp(_));
    if members.starting_position_timestamp.is_some() && !at {
        return Err(ApiError::invalid_parameter(
            "StartingPositionTimestamp is only valid with StartingPosition AT_TIMESTAMP.",
        ));
    }
    Ok(Some(position))
}

fn timestamp(members: &Members, now: Timestamp) -> Result<Timestamp, ApiError> {
    let seconds = members.starting_position_timestamp;
    let seconds = seconds.ok_or_else(|| null("startingPositionTimestamp"))?;
    // Saturating: a time before 1970 counts as 1970.
    let at = Timestamp::from_millis((seconds * 1000.0) as u64);
    if at > now {
        return Err(ApiError::invalid_parameter(
            "StartingPositionTimestamp must not be in the future.",
        ));
    }
    Ok(at)
}

/// Lambda words this like a constraint of the model, and has another error code for it.
fn null(at: &str) -> ApiError {
    ApiError::invalid_parameter(format!(
        "1 validation error detected: Value null at '{at}' failed to satisfy constraint: Member must \
         not be null."
    ))
}
