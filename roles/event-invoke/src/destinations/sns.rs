//! Topics: Publish of SNS's query protocol. Pure.

use super::{Call, Letter, form};
use crate::destination::Place;

/// Publishes a message.
pub(super) fn publish(place: &Place, letter: &Letter) -> Call {
    let mut parameters = vec![
        ("Action".to_owned(), "Publish"),
        ("Version".to_owned(), "2010-03-31"),
        ("TopicArn".to_owned(), place.arn.as_str()),
        ("Message".to_owned(), letter.body.as_str()),
    ];
    for (number, (name, kind, value)) in (1..).zip(&letter.attributes) {
        let part = |part: &str| format!("MessageAttributes.entry.{number}.{part}");
        parameters.push((part("Name"), *name));
        parameters.push((part("Value.DataType"), *kind));
        parameters.push((part("Value.StringValue"), value.as_str()));
    }
    form("sns", &place.region, "/".to_owned(), &parameters)
}
