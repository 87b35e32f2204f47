//! A batch of spans in the form of OpenTelemetry's protocol, as JSON. Pure.

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::{Value, json};

use crate::span::{Finished, Kind};

/// Where batches are posted to, below the endpoint.
pub const PATH: &str = "/v1/traces";

/// Of OpenTelemetry's status: it has failed.
const ERROR: u8 = 2;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'s> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: &'s str,
    kind: u8,
    // Numbers of 64 bits are texts.
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
}

/// The body of a request that tells of these spans, of a process with those attributes.
pub fn batch(resource: &[(&str, String)], spans: &[Finished]) -> Vec<u8> {
    let spans: Vec<_> = spans.iter().map(span).collect();
    let resource: Vec<_> = resource
        .iter()
        .map(|(name, value)| attribute(name, value))
        .collect();
    let body = json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "lambent"}, "spans": spans}],
    }]});
    body.to_string().into_bytes()
}

fn span(span: &Finished) -> Span<'_> {
    let attributes = span.attributes.iter();
    Span {
        trace_id: HEXLOWER.encode(&span.trace),
        span_id: HEXLOWER.encode(&span.span),
        parent_span_id: span.parent.map(|parent| HEXLOWER.encode(&parent)),
        name: span.name,
        kind: match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
        },
        start_time_unix_nano: span.start.to_string(),
        end_time_unix_nano: span.end.to_string(),
        attributes: attributes
            .map(|(name, value)| attribute(name, value))
            .collect(),
        status: (span.error.as_ref()).map(|error| json!({"code": ERROR, "message": error})),
    }
}

fn attribute(name: &str, value: &str) -> Value {
    json!({"key": name, "value": {"stringValue": value}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_as_the_protocol_has_it() {
        let finished = Finished {
            trace: [0xab; 16],
            span: [1; 8],
            parent: Some([2; 8]),
            name: "invoke",
            kind: Kind::Server,
            start: 1_769_854_830_123_000_000,
            end: 1_769_854_830_124_000_000,
            attributes: vec![("faas.name", "f".to_owned())],
            error: Some("timeout".to_owned()),
        };
        let root = Finished {
            parent: None,
            attributes: Vec::new(),
            error: None,
            ..finished.clone()
        };
        let resource = [("service.name", "lambent".to_owned())];
        let read: Value = serde_json::from_slice(&batch(&resource, &[finished, root])).unwrap();
        let one = json!({
            "traceId": "abababababababababababababababab",
            "spanId": "0101010101010101",
            "parentSpanId": "0202020202020202",
            "name": "invoke",
            "kind": 2,
            "startTimeUnixNano": "1769854830123000000",
            "endTimeUnixNano": "1769854830124000000",
            "attributes": [{"key": "faas.name", "value": {"stringValue": "f"}}],
            "status": {"code": 2, "message": "timeout"},
        });
        let mut other = one.clone();
        for gone in ["parentSpanId", "attributes", "status"] {
            other.as_object_mut().unwrap().remove(gone);
        }
        assert_eq!(
            read,
            json!({"resourceSpans": [{
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "lambent"}}]},
                "scopeSpans": [{"scope": {"name": "lambent"}, "spans": [one, other]}],
            }]})
        );
    }
}
