//! The first span of an invoke's trace: what its client waits for.

use http::request::Parts;
use http::{HeaderValue, Response, header};
use traces::{Kind, Span, Tracer};

const TRACE: &str = "x-amzn-trace-id";

/// Begins it, below the caller's own if its request names one, and names it to all who come after.
pub(super) fn begin(tracer: &Tracer, parts: &mut Parts) -> Span {
    if is_signed(parts) {
        // Another value would spoil the signature. The trace begins behind this door.
        return Span::default();
    }
    let given = parts.headers.get(TRACE);
    let given = given
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut span = tracer.begin(given, "request", Kind::Server);
    if span.is_on() {
        let handed_on = HeaderValue::try_from(span.header(given).as_ref());
        span.note("http.request.method", &parts.method);
        span.note("url.path", parts.uri.path());
        if let Ok(handed_on) = handed_on {
            parts.headers.insert(TRACE, handed_on);
        }
    }
    span
}

/// What became of it.
pub(super) fn answered<B>(span: &mut Span, answer: &Response<B>) {
    let status = answer.status();
    span.note("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.fail(status);
    }
}

/// Whether a signature covers the header. SDKs leave it out.
fn is_signed(parts: &Parts) -> bool {
    let authorization = parts.headers.get(header::AUTHORIZATION);
    let authorization = authorization.map_or(&b""[..], HeaderValue::as_bytes);
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    [authorization, query].iter().any(|text| {
        let mut windows = text.windows(TRACE.len());
        windows.any(|window| window.eq_ignore_ascii_case(TRACE.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;
    use types::{SystemClock, SystemRandom};

    use super::*;

    fn handed_on(headers: &[(&str, &str)]) -> Option<String> {
        let (tracer, _finished) =
            Tracer::new(1.0, 10, Arc::new(SystemClock), Arc::new(SystemRandom));
        let mut request = Request::post("/x?X-Amz-SignedHeaders=host");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        begin(&tracer, &mut parts);
        Some(parts.headers.get(TRACE)?.to_str().unwrap().to_owned())
    }

    #[test]
    fn all_that_follows_is_below_the_first_span_unless_the_header_is_signed() {
        const GIVEN: &str =
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert!(handed_on(&[]).unwrap().starts_with("Root=1-"));
        let ours = handed_on(&[(TRACE, GIVEN)]).unwrap();
        let (root, end) = (&GIVEN[..41], ";Sampled=1");
        assert!(
            ours.starts_with(root) && ours.ends_with(end) && ours != GIVEN,
            "{ours}"
        );
        let signed =
            "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host;X-Amzn-Trace-Id, Signature=y";
        assert_eq!(
            handed_on(&[(TRACE, GIVEN), ("authorization", signed)]).unwrap(),
            GIVEN
        );
        let other = "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=y";
        assert_ne!(
            handed_on(&[(TRACE, GIVEN), ("authorization", other)]).unwrap(),
            GIVEN
        );
    }
}
