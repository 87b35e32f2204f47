//! The `Authorization` header.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{SHA256, digest};

use super::incomplete;
use crate::shortened;
use crate::sigv4::{ALGORITHM, Error};

/// What an `Authorization` header holds.
pub(super) struct Fields<'h> {
    pub(super) credential: &'h str,
    pub(super) signed_headers: &'h str,
    pub(super) signature: &'h str,
}

/// Reads the header; without a header for the time it is refused as well.
pub(super) fn header_fields(text: &str, has_time: bool) -> Result<Fields<'_>, Error> {
    let (algorithm, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for pair in rest.split([',', ' ']).filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(no_equal_sign(text));
        };
        let before = match name {
            "Credential" => credential.replace(value),
            "SignedHeaders" => signed_headers.replace(value),
            "Signature" => signature.replace(value),
            _ => None,
        };
        if before.is_some() {
            return Err(incomplete(format!(
                "Authorization header has more than one '{name}' parameter. {}",
                fingerprint(text)
            )));
        }
    }
    if algorithm != ALGORITHM {
        return Err(incomplete(format!(
            "Unsupported AWS 'algorithm': '{}'.",
            shortened(algorithm)
        )));
    }
    let mut missing = String::new();
    for (name, there) in [
        ("Credential", credential.is_some()),
        ("Signature", signature.is_some()),
        ("SignedHeaders", signed_headers.is_some()),
    ] {
        if !there {
            missing += &format!("Authorization header requires '{name}' parameter. ");
        }
    }
    if !has_time {
        missing +=
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
    }
    match (credential, signed_headers, signature) {
        (Some(credential), Some(signed_headers), Some(signature)) if missing.is_empty() => {
            Ok(Fields {
                credential,
                signed_headers,
                signature,
            })
        }
        _ => Err(incomplete(format!("{missing}{}", fingerprint(text)))),
    }
}

fn no_equal_sign(text: &str) -> Error {
    incomplete(format!(
        "Invalid key=value pair (missing equal-sign) in Authorization header {}",
        fingerprint(text)
    ))
}

/// Names a header without showing it: it may be another service's token.
fn fingerprint(text: &str) -> String {
    let hash = BASE64.encode(digest(&SHA256, text.as_bytes()));
    format!("(hashed with SHA-256 and encoded with Base64): '{hash}'.")
}
