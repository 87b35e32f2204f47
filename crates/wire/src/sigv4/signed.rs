//! What a request says about its signature, read before anything is verified.

mod header;

use std::fmt;

use data_encoding::HEXLOWER;
use http::request::Parts;
use types::Timestamp;

use super::{ALGORITHM, EXPIRES_SECONDS_MAX, Error, TERMINATOR, date, signed_headers};
use crate::authority::authority;
use crate::shortened;
use crate::uri::{query_pairs, query_value, repeated};
use header::header_fields;

/// The longest access key id (AWS).
const ID_BYTES_MAX: usize = 128;
/// The longest name of a region or a service. AWS's have half of it.
const SCOPE_BYTES_MAX: usize = 64;

/// Where a signature was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query: a pre-signed request, valid for some seconds from its time.
    Query {
        /// `X-Amz-Expires`.
        expires_seconds: u32,
    },
}

/// A request's signature, not verified yet. Its `Debug` shows neither token nor signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// Whose secret should verify it.
    pub access_key_id: String,
    /// The region in the credential's scope.
    pub region: String,
    /// The service in the credential's scope, `lambda` or `sts` say.
    pub service: String,
    /// The session token that goes with a temporary key.
    pub session_token: Option<String>,
    /// When it was signed.
    pub time: Timestamp,
    /// Where it was found.
    pub form: Form,
    /// `id/date/region/service/aws4_request`.
    pub(super) credential: String,
    /// `time` as it was written.
    pub(super) time_text: String,
    /// `a;b;c`, as it was written.
    pub(super) signed_headers: String,
    /// The signature itself.
    pub(super) signature: [u8; 32],
}

/// The texts that both forms have.
struct Texts<'r> {
    credential: &'r str,
    signed_headers: &'r str,
    signature: &'r str,
    time: &'r str,
}

impl Signed {
    /// Finds the signature of a request, if it is one that can mean that request alone.
    pub fn parse(parts: &Parts) -> Result<Self, Error> {
        let signed = Self::find(parts)?;
        authority(parts).map_err(|bad| incomplete(bad.to_string()))?;
        signed_headers::check(&signed.signed_headers, parts)?;
        if !is_plain(parts.uri.path()) {
            // The signature is the same for every path that normalises to the same, while the
            // request is routed by the one that was sent.
            return Err(incomplete(
                "The path of a signed request must not have empty or dot segments.".to_owned(),
            ));
        }
        Ok(signed)
    }

    /// Finds the signature of a request.
    pub(super) fn find(parts: &Parts) -> Result<Self, Error> {
        let query = parts.uri.query();
        let in_query = query.filter(|query| query_value(Some(query), "X-Amz-Algorithm").is_some());
        let mut headers = parts.headers.get_all(http::header::AUTHORIZATION).iter();
        let header = headers.next();
        if headers.next().is_some() {
            return Err(incomplete(
                "The request has more than one Authorization header.".to_owned(),
            ));
        }
        match (header, in_query) {
            // The words are those of S3.
            (Some(_), Some(_)) => Err(incomplete(
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the \
                 Authorization header should be specified."
                    .to_owned(),
            )),
            (Some(value), None) => {
                let text = value
                    .to_str()
                    .map_err(|_| incomplete("Authorization header must be text.".to_owned()))?;
                Self::from_header(parts, text)
            }
            (None, Some(query)) => Self::from_query(parts, query),
            (None, None) => Err(Error::Missing),
        }
    }

    /// `YYYYMMDD` of the credential's scope.
    pub(super) fn date(&self) -> &str {
        self.scope().split('/').next().unwrap_or_default()
    }

    /// `date/region/service/aws4_request`.
    pub(super) fn scope(&self) -> &str {
        self.credential
            .split_once('/')
            .map_or("", |(_, scope)| scope)
    }

    /// Refuses a signature made for another service.
    pub fn require_service(&self, service: &str) -> Result<(), Error> {
        if self.service == service {
            return Ok(());
        }
        Err(Error::Scope {
            message: format!("Credential should be scoped to correct service: '{service}'. "),
        })
    }

    fn from_header(parts: &Parts, text: &str) -> Result<Self, Error> {
        let time = ["x-amz-date", "date"]
            .iter()
            .find_map(|name| parts.headers.get(*name));
        let time = time.and_then(|value| value.to_str().ok());
        let fields = header_fields(text, time.is_some())?;
        let token = parts
            .headers
            .get("x-amz-security-token")
            .and_then(|value| value.to_str().ok());
        let texts = Texts {
            credential: fields.credential,
            signed_headers: fields.signed_headers,
            signature: fields.signature,
            time: time.unwrap_or_default(),
        };
        Self::assemble(&texts, token.map(str::to_owned), Form::Header)
    }

    fn from_query(parts: &Parts, query: &str) -> Result<Self, Error> {
        let value = |name: &str| query_value(Some(query), name);
        let missing: String = [
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
        ]
        .iter()
        .filter(|name| value(name).is_none())
        .map(|name| format!("AWS query-string parameters must include '{name}'. "))
        .collect();
        if !missing.is_empty() {
            // The path alone: the query holds what may be a token.
            return Err(incomplete(format!(
                "{missing}Re-examine the query-string parameters of {}.",
                shortened(parts.uri.path())
            )));
        }
        if value("X-Amz-Algorithm").as_deref() != Some(ALGORITHM) {
            return Err(incomplete("Unsupported AWS 'algorithm'.".to_owned()));
        }
        let expires_seconds = match value("X-Amz-Expires") {
            // For services other than S3 a pre-signed request without an expiry is valid for the allowed clock skew.
            None => 300,
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| (1..=EXPIRES_SECONDS_MAX).contains(seconds))
                .ok_or_else(|| {
                    incomplete(format!(
                        "X-Amz-Expires must be a number of seconds from 1 to {EXPIRES_SECONDS_MAX}."
                    ))
                })?,
        };
        if is_repeated(query) {
            return Err(incomplete(
                "AWS query-string parameters must not be repeated.".to_owned(),
            ));
        }
        if parts.headers.contains_key("x-amz-security-token") {
            return Err(incomplete(
                "X-Amz-Security-Token of a pre-signed request must be in its query alone."
                    .to_owned(),
            ));
        }
        let (credential, signed_headers, signature, time) = (
            value("X-Amz-Credential").unwrap_or_default(),
            value("X-Amz-SignedHeaders").unwrap_or_default(),
            value("X-Amz-Signature").unwrap_or_default(),
            value("X-Amz-Date").unwrap_or_default(),
        );
        let texts = Texts {
            credential: &credential,
            signed_headers: &signed_headers,
            signature: &signature,
            time: &time,
        };
        let token = value("X-Amz-Security-Token").map(std::borrow::Cow::into_owned);
        Self::assemble(&texts, token, Form::Query { expires_seconds })
    }

    fn assemble(
        texts: &Texts<'_>,
        session_token: Option<String>,
        form: Form,
    ) -> Result<Self, Error> {
        // Two more than there may be are as many as too many.
        let parts: Vec<&str> = texts.credential.splitn(7, '/').collect();
        let [id, day, region, service, terminator] = parts.as_slice() else {
            return Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{}'",
                shortened(texts.credential)
            )));
        };
        if *terminator != TERMINATOR {
            return Err(Error::Scope {
                message: format!(
                    "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'.",
                    shortened(terminator)
                ),
            });
        }
        if [*region, *service]
            .iter()
            .any(|text| text.len() > SCOPE_BYTES_MAX)
        {
            return Err(Error::Scope {
                message: "Credential should be scoped to a valid region and service. ".to_owned(),
            });
        }
        if id.len() > ID_BYTES_MAX {
            return Err(incomplete(format!(
                "The access key id has more than {ID_BYTES_MAX} characters."
            )));
        }
        let time = date::parse_header(texts.time).ok_or_else(|| incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
            shortened(texts.time)
        )))?;
        // Nearly always as it was sent; the other form is that of a `Date` header.
        let time_text = match date::parse(texts.time) {
            Some(_) => texts.time.to_owned(),
            None => date::format(time),
        };
        if !time_text.starts_with(day) || day.len() != 8 {
            return Err(Error::Scope {
                message: format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                     from HTTP: '{}' != '{}', from '{time_text}'.",
                    shortened(day),
                    &time_text[..8]
                ),
            });
        }
        Ok(Self {
            access_key_id: (*id).to_owned(),
            region: (*region).to_owned(),
            service: (*service).to_owned(),
            session_token,
            time,
            form,
            credential: texts.credential.to_owned(),
            time_text,
            signed_headers: texts.signed_headers.to_owned(),
            // What is not 64 hex digits matches nothing; the refusal is that of a wrong signature.
            signature: unhex(texts.signature).unwrap_or_default(),
        })
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("credential", &self.credential)
            .field("time", &self.time)
            .field("form", &self.form)
            .field("signed_headers", &self.signed_headers)
            .finish_non_exhaustive()
    }
}

/// Whether one of the query's `X-Amz-` parameters is there twice: then what was verified and what
/// is used could differ.
fn is_repeated(query: &str) -> bool {
    let names = query_pairs(query).map(|(name, _)| name);
    repeated(names.filter(|name| name.starts_with("X-Amz-"))).is_some()
}

/// Whether a path has one form alone: no empty segment but the last, and none of dots.
fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return path.is_empty() || path == "*";
    };
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if matches!(segment, "." | "..") || (segment.is_empty() && !last) {
            return false;
        }
    }
    true
}

pub(super) fn incomplete(message: String) -> Error {
    Error::Incomplete { message }
}

/// The 32 bytes that 64 lower-case digits are.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 2 * out.len() {
        return None;
    }
    HEXLOWER.decode_mut(text.as_bytes(), &mut out).ok()?;
    Some(out)
}
