//! The record for a destination. Pure.
//!
//! ```text
//!   {"version":"1.0","timestamp":"…Z",
//!    "requestContext":{"requestId","functionArn","condition","approximateInvokeCount"},
//!    "requestPayload":…,
//!    "responseContext":{"statusCode","executedVersion","functionError"},
//!    "responsePayload":…}
//! ```
//!
//! Where the function did not run the response is the status that a waiting caller would have been told,
//! `{"statusCode":429}`, and nothing else: so AWS's records have it of events that became too old while
//! their function was throttled, and with 404 where it is gone. Payloads are put in as they were written.

use serde::Serialize;
use serde_json::value::RawValue;
use types::{FunctionArn, Qualifier, Version};

use crate::event::{Condition, Delivery, Event};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'e> {
    version: &'static str,
    timestamp: String,
    request_context: RequestContext,
    request_payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    request_id: String,
    function_arn: String,
    condition: Condition,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'e> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    executed_version: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'e str>,
}

/// The record of an event that is over, JSON.
pub(crate) fn record(event: &Event, delivery: &Delivery) -> String {
    let state = &event.state;
    let response_context = state.last.as_ref().and_then(|last| {
        Some(ResponseContext {
            status_code: last.status?,
            executed_version: last.version,
            function_error: last.failed.then_some("Unhandled"),
        })
    });
    let ran = state
        .last
        .as_ref()
        .is_some_and(|last| last.version.is_some());
    let response_payload = ran.then(|| raw(&event.response));
    let record = Record {
        version: "1.0",
        timestamp: delivery.decided.to_iso_text(),
        request_context: RequestContext {
            request_id: state.request.to_string(),
            function_arn: qualified(&state.arn),
            condition: delivery.condition,
            approximate_invoke_count: state.invokes,
        },
        request_payload: raw(&event.payload),
        response_context,
        response_payload,
    };
    serde_json::to_string(&record).expect("texts, numbers and JSON have a JSON form")
}

/// The function as records name it: always with a qualifier.
pub(crate) fn qualified(arn: &FunctionArn) -> String {
    match arn.qualifier {
        Some(_) => arn.to_string(),
        None => arn
            .qualified(Qualifier::Version(Version::Latest))
            .to_string(),
    }
}

/// JSON as it is; of a custom runtime's result that is none, its text; of nothing, `null`.
fn raw(bytes: &[u8]) -> Box<RawValue> {
    if bytes.is_empty() {
        return RawValue::NULL.to_owned();
    }
    match serde_json::from_slice::<Box<RawValue>>(bytes) {
        Ok(raw) => raw,
        Err(_) => serde_json::value::to_raw_value(&String::from_utf8_lossy(bytes))
            .expect("a text has a JSON form"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use types::Timestamp;

    use super::*;
    use crate::event::tests::event;

    fn check(event: &Event, condition: Condition, expected: &str) {
        let delivery = Delivery {
            condition,
            decided: Timestamp::from_millis(1_769_854_830_123),
            to: Vec::new(),
            role: String::new(),
            since: Timestamp::default(),
            tries: 0,
            refusal: None,
        };
        assert_eq!(record(event, &delivery), expected);
    }

    #[test]
    fn a_success_has_a_response_and_no_error() {
        let mut event = event("{\"n\":  1.0}", 0).event;
        event.ran(Version::Published(3), false, Bytes::from("[1, 2]"));
        check(
            &event,
            Condition::Success,
            "{\"version\":\"1.0\",\"timestamp\":\"2026-01-31T10:20:30.123Z\",\"requestContext\":\
             {\"requestId\":\"00000000-0000-0000-0000-000000000000\",\"functionArn\":\
             \"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST\",\"condition\":\"Success\",\
             \"approximateInvokeCount\":1},\"requestPayload\":{\"n\":  1.0},\"responseContext\":\
             {\"statusCode\":200,\"executedVersion\":\"3\"},\"responsePayload\":[1, 2]}",
        );
    }

    #[test]
    fn a_failure_tells_its_error() {
        let mut event = event("{}", 0).event;
        for _ in 0..3 {
            event.ran(
                Version::Latest,
                true,
                Bytes::from("{\"errorMessage\":\"no\"}"),
            );
        }
        check(
            &event,
            Condition::RetriesExhausted,
            "{\"version\":\"1.0\",\"timestamp\":\"2026-01-31T10:20:30.123Z\",\"requestContext\":\
             {\"requestId\":\"00000000-0000-0000-0000-000000000000\",\"functionArn\":\
             \"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST\",\"condition\":\
             \"RetriesExhausted\",\"approximateInvokeCount\":3},\"requestPayload\":{},\
             \"responseContext\":{\"statusCode\":200,\"executedVersion\":\"$LATEST\",\
             \"functionError\":\"Unhandled\"},\"responsePayload\":{\"errorMessage\":\"no\"}}",
        );
    }

    #[test]
    fn what_never_ran_has_no_response() {
        let event = event("null", 0).event;
        let expected = "{\"version\":\"1.0\",\"timestamp\":\"2026-01-31T10:20:30.123Z\",\
             \"requestContext\":{\"requestId\":\"00000000-0000-0000-0000-000000000000\",\"functionArn\":\
             \"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST\",\"condition\":\
             \"EventAgeExceeded\",\"approximateInvokeCount\":0},\"requestPayload\":null}";
        check(&event, Condition::EventAgeExceeded, expected);
    }

    #[test]
    fn what_could_not_run_has_the_status_alone() {
        let mut event = event("{}", 0).event;
        event.ran(Version::Latest, true, Bytes::from("{}"));
        event.crowded_out();
        let expected = "{\"version\":\"1.0\",\"timestamp\":\"2026-01-31T10:20:30.123Z\",\
             \"requestContext\":{\"requestId\":\"00000000-0000-0000-0000-000000000000\",\"functionArn\":\
             \"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST\",\"condition\":\
             \"EventAgeExceeded\",\"approximateInvokeCount\":1},\"requestPayload\":{},\
             \"responseContext\":{\"statusCode\":429}}";
        check(&event, Condition::EventAgeExceeded, expected);
    }

    #[test]
    fn a_result_that_is_no_json_comes_as_its_text() {
        assert_eq!(raw(b"not \"json\"").get(), "\"not \\\"json\\\"\"");
        assert_eq!(raw(b"").get(), "null");
    }
}
