//! Cross-origin resource sharing: what browsers learn about pages of other origins. Pure.
//!
//! Where it is configured the service answers preflights itself and its headers replace the function's;
//! where it is not, the function is responsible for all of it.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use records::urls::Cors;

/// The headers that a function's own answer may not set where it is configured.
const OWN: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// The answer to a preflight; `None` if the request is not one.
pub(super) fn preflight(cors: &Cors, parts: &Parts) -> Option<Response<()>> {
    let method = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    if parts.method != Method::OPTIONS || !parts.headers.contains_key(header::ORIGIN) {
        return None;
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    if !allow_origin(cors, &parts.headers, headers) {
        return Some(response);
    }
    let asked = parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let mut put = |name, list: &Option<Vec<String>>, asked: Option<&HeaderValue>| {
        if let Some(value) = list.as_deref().and_then(|list| listed(list, asked)) {
            headers.insert(name, value);
        }
    };
    let methods = header::ACCESS_CONTROL_ALLOW_METHODS;
    put(methods, &cors.allow_methods, Some(method));
    let names = header::ACCESS_CONTROL_ALLOW_HEADERS;
    put(names, &cors.allow_headers, asked);
    if let Some(seconds) = cors.max_age {
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, seconds.into());
    }
    Some(response)
}

/// Sets the configured headers, in place of the function's.
pub(super) fn apply(cors: &Cors, request: &HeaderMap, answer: &mut HeaderMap) {
    for name in OWN {
        answer.remove(name);
    }
    if !allow_origin(cors, request, answer) {
        return;
    }
    let exposed = cors.expose_headers.as_deref();
    if let Some(value) = exposed.and_then(|list| listed(list, None)) {
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, value);
    }
}

/// Allows the request's origin, if it is in the list; returns whether it is.
fn allow_origin(cors: &Cors, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
    let allowed = cors.allow_origins.as_deref().unwrap_or_default();
    let credentials = cors.allow_credentials == Some(true);
    let any = allowed.iter().any(|origin| origin == "*");
    if !any || credentials {
        // The answer depends on the origin: caches must know.
        answer.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let Some(origin) = request.get(header::ORIGIN) else {
        return false;
    };
    let given = origin.to_str().unwrap_or_default();
    if !any && !allowed.iter().any(|pattern| matches(pattern, given)) {
        return false;
    }
    // With credentials a browser does not accept the star.
    let value = match any && !credentials {
        true => HeaderValue::from_static("*"),
        false => origin.clone(),
    };
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    if credentials {
        let yes = HeaderValue::from_static("true");
        answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    }
    true
}

/// `https://example.com`, or `https://*` for every origin of that scheme.
fn matches(pattern: &str, origin: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => origin
            .get(..start.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => pattern.eq_ignore_ascii_case(origin),
    }
}

/// A list as a header; the star becomes what was requested, which every browser accepts.
fn listed(list: &[String], asked: Option<&HeaderValue>) -> Option<HeaderValue> {
    match asked {
        Some(asked) if list.iter().any(|entry| entry == "*") => Some(asked.clone()),
        _ if list.is_empty() => None,
        _ => HeaderValue::from_str(&list.join(",")).ok(),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        let list = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect());
        Cors {
            allow_origins: list(origins),
            allow_methods: list(&["GET", "PUT"]),
            allow_headers: list(&["*"]),
            expose_headers: list(&["x-a", "x-b"]),
            max_age: Some(60),
            allow_credentials: None,
        }
    }

    fn request(method: &str, origin: Option<&str>, asks: bool) -> Parts {
        let mut request = Request::builder().method(method).uri("/");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if asks {
            request = request.header("access-control-request-method", "PUT");
            request = request.header("access-control-request-headers", "x-one, x-two");
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_preflight_is_answered_with_what_is_configured() {
        let parts = request("OPTIONS", Some("https://a.example"), true);
        let answer = preflight(&cors(&["https://a.example"]), &parts).unwrap();
        let headers = answer.headers();
        assert_eq!(answer.status(), 200);
        assert_eq!(headers["access-control-allow-origin"], "https://a.example");
        assert_eq!(headers["access-control-allow-methods"], "GET,PUT");
        assert_eq!(headers["access-control-allow-headers"], "x-one, x-two");
        assert_eq!(headers["access-control-max-age"], "60");
        assert_eq!(headers["vary"], "Origin");
        assert!(!headers.contains_key("access-control-allow-credentials"));
        let others = preflight(&cors(&["https://b.example"]), &parts).unwrap();
        assert!(!others.headers().contains_key("access-control-allow-origin"));
        assert!(
            !others
                .headers()
                .contains_key("access-control-allow-methods")
        );
    }

    #[test]
    fn only_a_preflight_is_one() {
        let cors = cors(&["*"]);
        for parts in [
            request("OPTIONS", None, true),
            request("OPTIONS", Some("https://a.example"), false),
            request("PUT", Some("https://a.example"), true),
        ] {
            assert!(preflight(&cors, &parts).is_none());
        }
    }

    #[test]
    fn what_is_configured_wins_over_the_functions_own() {
        let parts = request("GET", Some("https://a.example"), false);
        let own = || {
            let mut headers = HeaderMap::new();
            let star = HeaderValue::from_static("*");
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, star.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, star);
            headers
        };
        let mut answer = own();
        apply(&cors(&["https://*"]), &parts.headers, &mut answer);
        assert_eq!(answer["access-control-allow-origin"], "https://a.example");
        assert_eq!(answer["access-control-expose-headers"], "x-a,x-b");
        assert!(!answer.contains_key("access-control-allow-methods"));
        let mut answer = own();
        apply(&cors(&["http://*"]), &parts.headers, &mut answer);
        assert!(!answer.contains_key("access-control-allow-origin"));
    }

    #[test]
    fn credentials_need_the_origin_by_name() {
        let parts = request("GET", Some("https://a.example"), false);
        let mut any = cors(&["*"]);
        let mut answer = HeaderMap::new();
        apply(&any, &parts.headers, &mut answer);
        assert_eq!(answer["access-control-allow-origin"], "*");
        any.allow_credentials = Some(true);
        let mut answer = HeaderMap::new();
        apply(&any, &parts.headers, &mut answer);
        assert_eq!(answer["access-control-allow-origin"], "https://a.example");
        assert_eq!(answer["access-control-allow-credentials"], "true");
    }
}
