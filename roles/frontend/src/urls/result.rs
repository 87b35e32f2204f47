//! From a function's result to the HTTP response of its URL. Pure.
//!
//! ```text
//!   {"statusCode": …, "headers": …, "cookies": …, "body": …, "isBase64Encoded": …}     as it says
//!   any other JSON                                   status 200, application/json, the JSON without spaces
//!   anything else                                                                      malformed
//! ```

mod members;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use members::{Cookies, HEADERS_MAX, Headers, Scalar};

/// Bytes of their names and values together (AWS: 1 MB for line and headers).
const HEADER_BYTES_MAX: usize = 1024 * 1024;

/// A result that describes no response.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the function's result is no response")]
pub(super) struct Malformed;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Structured<'r> {
    status_code: Option<Scalar>,
    headers: Option<Headers>,
    cookies: Option<Cookies>,
    #[serde(borrow)]
    body: Option<&'r RawValue>,
    is_base64_encoded: Option<bool>,
}

/// What decides whether a result is a response.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HasStatus {
    status_code: Option<IgnoredAny>,
}

/// The head of a streamed response, as runtimes write it before the body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Prelude {
    status_code: Option<Scalar>,
    headers: Option<Headers>,
    cookies: Option<Cookies>,
}

/// The response that a whole result describes.
pub(super) fn response(result: &Bytes) -> Result<Response<Bytes>, Malformed> {
    let has_status = is_object(result)
        && serde_json::from_slice::<HasStatus>(result)
            .is_ok_and(|result| result.status_code.is_some());
    if !has_status {
        serde_json::from_slice::<IgnoredAny>(result).map_err(|_| Malformed)?;
        let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        let body = match result.iter().any(space) {
            true => Bytes::from(compact(std::str::from_utf8(result).map_err(|_| Malformed)?)),
            false => result.clone(),
        };
        return Ok(with_default_type(Response::new(body), "application/json"));
    }
    let structured: Structured<'_> = serde_json::from_slice(result).map_err(|_| Malformed)?;
    let body = match structured.body.map(RawValue::get) {
        None | Some("null") => String::new(),
        Some(text) if text.starts_with('"') => serde_json::from_str(text).map_err(|_| Malformed)?,
        Some(json) => compact(json),
    };
    let body = match structured.is_base64_encoded {
        Some(true) => Bytes::from(STANDARD.decode(body).map_err(|_| Malformed)?),
        _ => Bytes::from(body),
    };
    let (status, headers, cookies) = (
        structured.status_code,
        structured.headers,
        structured.cookies,
    );
    let head = head(status, headers, cookies)?;
    Ok(with_default_type(head.map(|()| body), "application/json"))
}

/// The head that a streamed response's prelude describes.
pub(super) fn prelude(json: &[u8]) -> Result<Response<()>, Malformed> {
    if !is_object(json) {
        return Err(Malformed);
    }
    let prelude: Prelude = serde_json::from_slice(json).map_err(|_| Malformed)?;
    let head = head(prelude.status_code, prelude.headers, prelude.cookies)?;
    Ok(with_default_type(head, "application/octet-stream"))
}

/// A response that is a result's bytes as they are.
pub(super) fn plain(content_type: Option<&str>) -> Response<()> {
    let mut response = Response::new(());
    let given = content_type.and_then(|text| HeaderValue::from_str(text).ok());
    let content_type =
        given.unwrap_or_else(|| HeaderValue::from_static("application/octet-stream"));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// JSON without the spaces between its parts, as AWS sends it on.
fn compact(json: &str) -> String {
    let mut texts = types::json::Texts::default();
    let keep = |letter: &char| texts.step(*letter) || !matches!(letter, ' ' | '\n' | '\r' | '\t');
    json.chars().filter(keep).collect()
}

/// Whether JSON is an object, if it is JSON. Members could be read out of a list, too.
fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{")
}

fn with_default_type<B>(mut response: Response<B>, content_type: &'static str) -> Response<B> {
    response
        .headers_mut()
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static(content_type));
    response
}

fn head(
    status: Option<Scalar>,
    headers: Option<Headers>,
    cookies: Option<Cookies>,
) -> Result<Response<()>, Malformed> {
    let headers = headers.unwrap_or_default().0;
    let cookies = cookies.unwrap_or_default().0;
    if headers.len() + cookies.len() > HEADERS_MAX {
        return Err(Malformed);
    }
    let mut response = Response::new(());
    *response.status_mut() = match status {
        None => StatusCode::OK,
        Some(status) => status_code(&status)?,
    };
    let map = response.headers_mut();
    let mut room = HEADER_BYTES_MAX;
    let mut take = |name: &str, value: &HeaderValue| {
        room = room.checked_sub(name.len() + value.len())?;
        Some(())
    };
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Malformed)?;
        if let Some(value) = header_value(value)? {
            take(name.as_str(), &value).ok_or(Malformed)?;
            insert(map, name, value)?;
        }
    }
    for cookie in cookies {
        let cookie = HeaderValue::from_bytes(cookie.as_bytes()).map_err(|_| Malformed)?;
        take(header::SET_COOKIE.as_str(), &cookie).ok_or(Malformed)?;
        let added = map.try_append(header::SET_COOKIE, cookie);
        added.map_err(|_| Malformed)?;
    }
    Ok(response)
}

/// Headers that describe the connection, or that the service sets, are sent under another name, as on
/// AWS.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) -> Result<(), Malformed> {
    let name = match name.as_str() {
        "connection" => HeaderName::from_static("x-amzn-remapped-connection"),
        "content-length" => HeaderName::from_static("x-amzn-remapped-content-length"),
        "date" => HeaderName::from_static("x-amzn-remapped-date"),
        "keep-alive" => HeaderName::from_static("x-amzn-remapped-keep-alive"),
        "server" => HeaderName::from_static("x-amzn-remapped-server"),
        "te" => HeaderName::from_static("x-amzn-remapped-te"),
        "trailer" => HeaderName::from_static("x-amzn-remapped-trailer"),
        "transfer-encoding" => HeaderName::from_static("x-amzn-remapped-transfer-encoding"),
        "upgrade" => HeaderName::from_static("x-amzn-remapped-upgrade"),
        _ => name,
    };
    headers.try_insert(name, value).map_err(|_| Malformed)?;
    Ok(())
}

/// A number, or a text that is one. A response below 200 would not be final, so it is invalid.
fn status_code(value: &Scalar) -> Result<StatusCode, Malformed> {
    let (Scalar::Written(text) | Scalar::Text(text)) = value else {
        return Err(Malformed);
    };
    let code = text.parse::<u16>().ok();
    let code = code.filter(|code| (200..600).contains(code));
    StatusCode::from_u16(code.ok_or(Malformed)?).map_err(|_| Malformed)
}

/// An empty value stands for no header.
fn header_value(value: Scalar) -> Result<Option<HeaderValue>, Malformed> {
    let (Scalar::Written(text) | Scalar::Text(text)) = value else {
        return Ok(None);
    };
    let value = HeaderValue::from_maybe_shared(Bytes::from(text)).map_err(|_| Malformed)?;
    Ok(Some(value))
}

#[cfg(test)]
mod tests;
