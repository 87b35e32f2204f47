//! Signing: for our own clients, and for the links we give out.

use data_encoding::HEXLOWER;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use ring::hmac;
use types::Timestamp;

use super::canonical::{Canonical, Paths, Place};
use super::key::derive;
use super::{ALGORITHM, TERMINATOR, canonical, date};
use crate::uri::{encode, is_unreserved};

/// Signs with one access key, for one region and service.
#[derive(Clone, Copy)]
pub struct Signer<'k> {
    /// The key's id.
    pub access_key_id: &'k str,
    /// Its secret.
    pub secret: &'k str,
    /// The session token of a temporary key.
    pub session_token: Option<&'k str>,
    /// The region.
    pub region: &'k str,
    /// The service, `lambda` say.
    pub service: &'k str,
}

impl Signer<'_> {
    /// Signs a request: sets `x-amz-date`, `x-amz-security-token` and `authorization`. Signs
    /// `host`, `content-type` and every `x-amz-` header there is; the rest may change on the way.
    /// S3 gets the body's hash as well, without which it accepts nothing.
    pub fn sign(&self, parts: &mut Parts, body: &[u8], now: Timestamp) {
        let payload_hash = canonical::payload_hash(parts, body);
        if self.service == "s3" {
            let name = HeaderName::from_static(super::CONTENT_HASH);
            parts.headers.insert(name, ascii(&payload_hash));
        }
        let time = date::format(now);
        parts
            .headers
            .insert(HeaderName::from_static("x-amz-date"), ascii(&time));
        if let Some(token) = self.session_token {
            parts.headers.insert(
                HeaderName::from_static("x-amz-security-token"),
                ascii(token),
            );
        }
        let mut names: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).collect();
        names.retain(|name| {
            name.starts_with("x-amz-") || *name == "content-type" || *name == "host"
        });
        if !names.contains(&"host") {
            names.push("host");
        }
        names.sort_unstable();
        let signed_headers = names.join(";");
        let paths = match self.service {
            "s3" => Paths::AsSent,
            _ => Paths::Normalised,
        };
        let canonical = Canonical {
            parts,
            signed_headers: &signed_headers,
            payload_hash: &payload_hash,
            paths,
            place: Place::Header,
        };
        let scope = self.scope(&time);
        let signature = self.signature(&time, &scope, canonical);
        let header = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={signature}",
            self.access_key_id
        );
        parts
            .headers
            .insert(http::header::AUTHORIZATION, ascii(&header));
    }

    /// The path and query of a `GET` of `path` on `host`, signed so that anyone who has it may use it
    /// for `expires_seconds`. `path` is as it will be sent.
    pub fn presign(&self, host: &str, path: &str, expires_seconds: u32, now: Timestamp) -> String {
        let time = date::format(now);
        let scope = self.scope(&time);
        let mut query = format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={time}\
             &X-Amz-Expires={expires_seconds}&X-Amz-SignedHeaders=host",
            encode(&format!("{}/{scope}", self.access_key_id)),
        );
        if let Some(token) = self.session_token {
            query += &format!("&X-Amz-Security-Token={}", encode(token));
        }
        let mut request = http::Request::new(());
        *request.uri_mut() = format!("{path}?{query}").parse().unwrap_or_default();
        request
            .headers_mut()
            .insert(http::header::HOST, ascii(host));
        let (parts, ()) = request.into_parts();
        let payload_hash = canonical::payload_hash(&parts, b"");
        let canonical = Canonical {
            parts: &parts,
            signed_headers: "host",
            payload_hash: &payload_hash,
            paths: Paths::Normalised,
            place: Place::Query,
        };
        let signature = self.signature(&time, &scope, canonical);
        format!("{path}?{query}&X-Amz-Signature={signature}")
    }

    fn scope(&self, time: &str) -> String {
        format!(
            "{}/{}/{}/{TERMINATOR}",
            &time[..8],
            self.region,
            self.service
        )
    }

    fn signature(&self, time: &str, scope: &str, canonical: Canonical<'_>) -> String {
        let key = derive(self.secret, &time[..8], self.region, self.service);
        let to_sign = canonical.string_to_sign(time, scope);
        HEXLOWER.encode(hmac::sign(&key, to_sign.as_bytes()).as_ref())
    }
}

/// A header value of text that we made or were given; what a header cannot hold is left out, and
/// then the signature does not match.
fn ascii(text: &str) -> HeaderValue {
    debug_assert!(
        text.bytes()
            .all(|b| b == b' ' || b.is_ascii_graphic() || is_unreserved(b))
    );
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
