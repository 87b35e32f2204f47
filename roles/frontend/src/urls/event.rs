//! From an HTTP request to the event of a function URL: payload format 2.0. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use authn::identity::Principal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use records::urls::Url;
use serde::Serialize;
use types::limits::SYNC_REQUEST_BYTES_MAX;
use types::{RequestId, Timestamp};
use wire::authority::authority;
use wire::uri::form_pairs;

/// What an event is made of.
pub(super) struct Facts<'r> {
    pub(super) url: &'r Url,
    pub(super) parts: &'r Parts,
    /// The path as the function sees it.
    pub(super) path: &'r str,
    pub(super) body: &'r [u8],
    /// Who signed, by which access key; `None` for URLs that require no signature.
    pub(super) caller: Option<(&'r Principal, &'r str)>,
    /// Where the connection comes from.
    pub(super) source: IpAddr,
    /// The scheme under which clients reach us.
    pub(super) scheme: &'r str,
    pub(super) request: RequestId,
    /// `X-Amzn-Trace-Id`.
    pub(super) trace: &'r str,
    pub(super) now: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'r> {
    version: &'static str,
    route_key: &'static str,
    raw_path: &'r str,
    raw_query_string: &'r str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<&'r str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: RequestContext<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'r, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'r> {
    account_id: &'r str,
    api_id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer<'r>>,
    domain_name: &'r str,
    domain_prefix: &'r str,
    http: Http<'r>,
    request_id: String,
    route_key: &'static str,
    stage: &'static str,
    time: String,
    time_epoch: u64,
}

#[derive(Serialize)]
struct Authorizer<'r> {
    iam: Iam<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Iam<'r> {
    access_key: &'r str,
    account_id: &'r str,
    caller_id: &'r str,
    cognito_identity: Option<()>,
    principal_org_id: Option<()>,
    user_arn: &'r str,
    user_id: &'r str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'r> {
    method: &'r str,
    path: &'r str,
    protocol: &'static str,
    source_ip: String,
    user_agent: Option<&'r str>,
}

/// The placeholder for what function URLs do not have.
const DEFAULT: &str = "$default";
/// Headers of the connection, which are not part of the request; the caller's credentials are not for
/// the function either.
const LEFT_OUT: [HeaderName; 8] = [
    header::CONNECTION,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// An event that is larger than any payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooLarge {
    /// Its size, bytes.
    pub(super) bytes: usize,
}

/// JSON being written. It may be six times as long as its input: if it is too long only the size is
/// kept.
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    size: usize,
}

impl io::Write for Written {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.size += piece.len();
        if self.size <= SYNC_REQUEST_BYTES_MAX {
            self.bytes.extend_from_slice(piece);
        } else {
            self.bytes = Vec::new();
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The event, as JSON.
pub(super) fn event(facts: &Facts<'_>) -> Result<Vec<u8>, TooLarge> {
    let Facts {
        url, parts, path, ..
    } = facts;
    let (body, is_base64_encoded) = body(&parts.headers, facts.body);
    let query = parts.uri.query().unwrap_or_default();
    let event = Event {
        version: "2.0",
        route_key: DEFAULT,
        raw_path: path,
        raw_query_string: query,
        cookies: cookies(&parts.headers),
        headers: headers(facts),
        query_string_parameters: query_parameters(query),
        request_context: RequestContext {
            account_id: match facts.caller {
                Some(_) => url.function.scope.account.as_str(),
                None => "anonymous",
            },
            api_id: &url.id,
            authorizer: facts.caller.map(authorizer),
            domain_name: without_port(authority(parts).unwrap_or_default()),
            domain_prefix: &url.id,
            http: Http {
                method: parts.method.as_str(),
                path,
                protocol: match parts.version {
                    http::Version::HTTP_10 => "HTTP/1.0",
                    _ => "HTTP/1.1",
                },
                source_ip: facts.source.to_string(),
                user_agent: text(&parts.headers, &header::USER_AGENT),
            },
            request_id: facts.request.to_string(),
            route_key: DEFAULT,
            stage: DEFAULT,
            time: facts.now.to_log_text(),
            time_epoch: facts.now.as_millis(),
        },
        body,
        is_base64_encoded,
    };
    let mut written = Written::default();
    serde_json::to_writer(&mut written, &event).expect("a struct of texts has a JSON form");
    match written.size {
        bytes if bytes > SYNC_REQUEST_BYTES_MAX => Err(TooLarge { bytes }),
        _ => Ok(written.bytes),
    }
}

fn authorizer<'r>((principal, access_key): (&'r Principal, &'r str)) -> Authorizer<'r> {
    Authorizer {
        iam: Iam {
            access_key,
            account_id: principal.account.as_str(),
            caller_id: &principal.user_id,
            cognito_identity: None,
            principal_org_id: None,
            user_arn: &principal.arn,
            user_id: &principal.user_id,
        },
    }
}

/// Names in lower case, several values joined by commas, and what the service adds.
fn headers<'r>(facts: &Facts<'r>) -> BTreeMap<&'r str, String> {
    let given = &facts.parts.headers;
    let mut headers = BTreeMap::new();
    for name in given.keys() {
        let signature = facts.caller.is_some() && name == header::AUTHORIZATION;
        if signature || LEFT_OUT.contains(name) {
            continue;
        }
        headers.insert(name.as_str(), joined(given, name));
    }
    let host = authority(facts.parts).unwrap_or_default();
    headers.entry("host").or_insert_with(|| host.to_owned());
    let port = match (port(host), facts.scheme) {
        (Some(port), _) => port,
        (None, "https") => "443",
        (None, _) => "80",
    };
    headers.insert("x-forwarded-port", port.to_owned());
    headers.insert("x-forwarded-proto", facts.scheme.to_owned());
    // What a client says of itself is not handed on, and what a balancer says has been read.
    headers.insert("x-forwarded-for", facts.source.to_string());
    headers.insert("x-amzn-trace-id", facts.trace.to_owned());
    headers
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let texts: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    // Cookies hold commas: they are joined as one line would have them.
    texts.join(if *name == header::COOKIE { "; " } else { "," })
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::COOKIE).iter();
    let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    let mut cookies = Vec::new();
    for line in lines {
        let parts = line
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        cookies.extend(parts.map(str::to_owned));
    }
    cookies
}

/// Decoded; values of one name joined by commas.
fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_pairs(query) {
        parameters
            .entry(name)
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert(value);
    }
    parameters
}

/// As text if its content type says that it is text and it is, else in base64; `None` if there is none.
fn body<'b>(headers: &HeaderMap, body: &'b [u8]) -> (Option<Cow<'b, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let plain = !headers.contains_key(header::CONTENT_ENCODING)
        && text(headers, &header::CONTENT_TYPE).is_some_and(is_text);
    match std::str::from_utf8(body) {
        Ok(text) if plain => (Some(Cow::Borrowed(text)), false),
        _ => (Some(Cow::Owned(STANDARD.encode(body))), true),
    }
}

/// `text/*`, JSON, XML and JavaScript. Everything else, including forms, is binary to Lambda.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    if kind.starts_with("text/") {
        return true;
    }
    let Some(kind) = kind.strip_prefix("application/") else {
        return false;
    };
    matches!(kind, "json" | "xml" | "javascript")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn port(host: &str) -> Option<&str> {
    let (before, port) = host.rsplit_once(':')?;
    // Not the last group of an address like [::1].
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (!before.contains(':') || before.ends_with(']'))).then_some(port)
}

fn without_port(host: &str) -> &str {
    match port(host) {
        Some(port) => &host[..host.len() - port.len() - 1],
        None => host,
    }
}

#[cfg(test)]
mod tests;
