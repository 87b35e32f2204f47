//! The canonical request and the string to sign.
//!
//! ```text
//!   method \n path \n query \n header:value \n … \n \n signed headers \n payload hash
//!   AWS4-HMAC-SHA256 \n time \n scope \n SHA-256(canonical request)
//! ```

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use http::request::Parts;
use ring::digest::{SHA256, digest};

use super::out::{Beginning, Hashing, Out};
use super::{ALGORITHM, SHOWN_BYTES_MAX, UNSIGNED_PAYLOAD};
use crate::authority::authority;
use crate::uri::{decode_query, encode_pieces, is_unreserved};

/// Which rules a service has for paths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Paths {
    /// Dot segments and double slashes are resolved, and what was sent is encoded once more.
    Normalised,
    /// As they are sent. S3 alone has it so: a key may have any form.
    AsSent,
}

/// A request, and what is signed of it.
#[derive(Clone, Copy)]
pub(super) struct Canonical<'r> {
    pub(super) parts: &'r Parts,
    /// The list as the signer wrote it, `a;b;c`. Each name is there once.
    pub(super) signed_headers: &'r str,
    pub(super) payload_hash: &'r str,
    pub(super) paths: Paths,
    /// Where the signature is: it cannot cover itself.
    pub(super) place: Place,
}

/// Where a signature is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Header,
    Query,
}

impl Canonical<'_> {
    /// What is signed.
    pub(super) fn string_to_sign(&self, time: &str, scope: &str) -> String {
        let mut hashing = Hashing::new();
        self.write(&mut hashing);
        let hash = HEXLOWER.encode(hashing.finish().as_ref());
        format!("{ALGORITHM}\n{time}\n{scope}\n{hash}")
    }

    /// The canonical request itself, or the beginning of a long one.
    pub(super) fn shown(&self) -> String {
        let mut beginning = Beginning::new(SHOWN_BYTES_MAX);
        self.write(&mut beginning);
        beginning.text()
    }

    fn write(&self, out: &mut impl Out) {
        out.put(self.parts.method.as_str().as_bytes());
        out.put(b"\n");
        match self.paths {
            Paths::Normalised => path(self.parts.uri.path(), out),
            Paths::AsSent => out.put(self.parts.uri.path().as_bytes()),
        }
        out.put(b"\n");
        query(self.parts.uri.query().unwrap_or_default(), self.place, out);
        out.put(b"\n");
        for name in self.signed_headers.split(';') {
            header(self.parts, name, out);
        }
        out.put(b"\n");
        out.put(self.signed_headers.as_bytes());
        out.put(b"\n");
        out.put(self.payload_hash.as_bytes());
    }
}

/// The payload hash of a request. The body is hashed whatever `x-amz-content-sha256` says: if it
/// says otherwise, so does the signature. Only a payload declared unsigned is not read.
pub(super) fn payload_hash(parts: &Parts, body: &[u8]) -> Cow<'static, str> {
    match parts.headers.get(super::CONTENT_HASH) {
        Some(value) if value == UNSIGNED_PAYLOAD => Cow::Borrowed(UNSIGNED_PAYLOAD),
        _ => Cow::Owned(HEXLOWER.encode(digest(&SHA256, body).as_ref())),
    }
}

fn path(path: &str, out: &mut impl Out) {
    let mut segments: Vec<&str> = Vec::with_capacity(8);
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    for segment in &segments {
        out.put(b"/");
        encode_pieces(segment.as_bytes(), |piece| out.put(piece));
    }
    if segments.is_empty() || path.ends_with('/') {
        out.put(b"/");
    }
}

/// Names and values in canonical coding, sorted. A pre-signed request's own signature is left out.
fn query(query: &str, place: Place, out: &mut impl Out) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| place == Place::Header || *name != "X-Amz-Signature")
        .map(|(name, value)| (recoded(name), recoded(value)))
        .collect();
    pairs.sort_unstable();
    for (place, (name, value)) in pairs.iter().enumerate() {
        if place > 0 {
            out.put(b"&");
        }
        out.put(name.as_bytes());
        out.put(b"=");
        out.put(value.as_bytes());
    }
}

/// `text` in canonical percent-coding, whatever its sender encoded.
fn recoded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_unreserved) {
        return Cow::Borrowed(text);
    }
    // What is not UTF-8 is left as it was sent: its signature can only match byte by byte.
    let Some(plain) = decode_query(text) else {
        return Cow::Borrowed(text);
    };
    Cow::Owned(crate::uri::encode(&plain))
}

/// `name:value\n`, values trimmed, runs of spaces made one, several values joined by commas.
fn header(parts: &Parts, name: &str, out: &mut impl Out) {
    out.put(name.as_bytes());
    out.put(b":");
    if name == "host" {
        // The one by which the request found its way.
        out.put(authority(parts).unwrap_or_default().as_bytes());
    } else {
        for (place, value) in parts.headers.get_all(name).iter().enumerate() {
            if place > 0 {
                out.put(b",");
            }
            trimmed(value.as_bytes(), out);
        }
    }
    out.put(b"\n");
}

fn trimmed(value: &[u8], out: &mut impl Out) {
    let mut words = value
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    if let Some(word) = words.next() {
        out.put(word);
    }
    for word in words {
        out.put(b" ");
        out.put(word);
    }
}
