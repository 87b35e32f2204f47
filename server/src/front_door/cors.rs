//! Cross-origin resource sharing of the APIs: SDKs run in browsers, on pages of other origins. Pure.
//!
//! Every request is signed and none carries a cookie, so that an origin alone opens nothing: all are
//! allowed, without credentials, as on AWS. Function URLs have rules of their own.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response};

/// What SDKs read of an answer's head.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-amzn-errortype,x-amzn-requestid,x-amzn-trace-id,x-amz-function-error,x-amz-log-result,\
     x-amz-executed-version,retry-after,date",
);
/// The methods of the APIs.
const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,POST,PUT,DELETE,OPTIONS");
/// Seconds for which a browser need not ask again: two days, as AWS says.
const MAX_AGE: HeaderValue = HeaderValue::from_static("172800");

/// The answer to a browser's question whether it may send a request; `None` if the request is none.
pub(super) fn preflight(parts: &Parts) -> Option<Response<Bytes>> {
    let asks = parts
        .headers
        .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if parts.method != Method::OPTIONS || !asks || !has_origin(&parts.headers) {
        return None;
    }
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    // SDKs send headers of their own, more with each version.
    if let Some(asked) = parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    Some(response)
}

/// Whether a page of some origin asks.
pub(super) fn has_origin(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
}

/// Lets such a page read an answer.
pub(super) fn open(headers: &mut HeaderMap) {
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn asked(method: Method, headers: &[(&str, &str)]) -> Option<Response<Bytes>> {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        preflight(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_browser_may_send_what_it_asks_for() {
        let (origin, method) = (
            ("origin", "https://page.example"),
            ("access-control-request-method", "POST"),
        );
        let names = ("access-control-request-headers", "authorization,x-amz-date");
        let answer = asked(Method::OPTIONS, &[origin, method, names]).unwrap();
        let value = |name: &str| answer.headers()[name].to_str().unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(value("access-control-allow-headers"), names.1);
        assert!(value("access-control-allow-methods").contains("POST"));
        assert!(asked(Method::OPTIONS, &[origin]).is_none());
        assert!(asked(Method::OPTIONS, &[method]).is_none());
        assert!(asked(Method::POST, &[origin, method]).is_none());
    }
}
