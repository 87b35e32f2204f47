//! Event buses: PutEvents. Pure.

use http::Method;
use serde::{Deserialize, Serialize};
use types::FunctionArn;

use super::{Call, Error, request};
use crate::destination::Place;
use crate::event::Condition;
use crate::record::qualified;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    entries: [Entry; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: &'static str,
    detail_type: &'static str,
    resources: [String; 2],
    detail: String,
    event_bus_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Answer {
    failed_entry_count: u32,
    entries: Vec<Failed>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Failed {
    error_code: Option<String>,
    error_message: Option<String>,
}

/// Puts one event onto a bus.
pub(super) fn put_events(
    place: &Place,
    function: &FunctionArn,
    condition: Condition,
    record: String,
) -> Call {
    let entry = Entry {
        source: "lambda",
        detail_type: match condition {
            Condition::Success => "Lambda Function Invocation Result - Success",
            _ => "Lambda Function Invocation Result - Failure",
        },
        // In the order in which Lambda's events have them.
        resources: [place.arn.clone(), qualified(function)],
        detail: record,
        event_bus_name: place.arn.clone(),
    };
    let body = serde_json::to_string(&PutEvents { entries: [entry] });
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AWSEvents.PutEvents"),
    ];
    let body = body.expect("texts have a JSON form");
    let to = (Method::POST, "/".to_owned());
    request("events", &place.region, to, &headers, body)
}

/// Whether the event was taken: an answer of status 200 may say that it was not.
pub(super) fn accepted(answer: &[u8]) -> Result<(), Error> {
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|_| Error::passing("the bus's answer cannot be read"))?;
    if answer.failed_entry_count == 0 {
        return Ok(());
    }
    let failed = answer.entries.into_iter().next().unwrap_or_default();
    let (code, message) = (failed.error_code, failed.error_message);
    let code = code.unwrap_or_default();
    let passing = code.contains("Throttl") || code.contains("Internal");
    Err(Error {
        lasting: !passing,
        message: format!("{code}: {}", message.unwrap_or_default()),
        reason: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_say_no_though_its_status_says_yes() {
        assert!(accepted(b"{\"FailedEntryCount\":0,\"Entries\":[{\"EventId\":\"1\"}]}").is_ok());
        let no = b"{\"FailedEntryCount\":1,\"Entries\":[{\"ErrorCode\":\"NotAuthorized\"}]}";
        assert!(accepted(no).unwrap_err().lasting);
        let busy =
            b"{\"FailedEntryCount\":1,\"Entries\":[{\"ErrorCode\":\"ThrottlingException\"}]}";
        assert!(!accepted(busy).unwrap_err().lasting);
        assert!(!accepted(b"<html>").unwrap_err().lasting);
    }
}
