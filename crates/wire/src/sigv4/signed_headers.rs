//! The list of signed headers: `host;x-amz-date`.
//!
//! It says which parts of a request its signer vouches for, so it must be the one list there is for
//! them: sorted, in small letters, each name once and in the request. `host` must be on it, which
//! says whom the request was for, and every `x-amz-` header, all of which mean something.

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

use super::Error;
use super::signed::incomplete;
use crate::shortened;

/// Names on a list. Requests have 100 headers at most.
const NAMES_MAX: usize = 100;
/// Headers with that beginning that mean nothing here: what kind of client it is, and the mark of
/// a proxy on the way. Some clients add them behind the signer's back.
const MEANINGLESS: [&str; 2] = ["x-amz-user-agent", "x-amz-cf-id"];

/// Refuses a list that is not as it must be, and a request whose headers it does not cover.
pub(super) fn check(list: &str, parts: &Parts) -> Result<(), Error> {
    let mut before = "";
    for (place, name) in list.split(';').enumerate() {
        if place >= NAMES_MAX {
            return Err(incomplete(format!(
                "SignedHeaders must have at most {NAMES_MAX} names."
            )));
        }
        // The empty name is not above itself.
        if name <= before || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(incomplete(
                "SignedHeaders must be sorted, in lower case, and each name there once.".to_owned(),
            ));
        }
        before = name;
    }
    // That much is known of their form, so that no long name is repeated.
    let signed = |wanted: &str| list.split(';').any(|name| name == wanted);
    if !signed("host") {
        return Err(unsigned("Host' or ':authority"));
    }
    let mut last = "";
    for name in parts.headers.iter().map(|(name, _)| name.as_str()) {
        if !name.starts_with("x-amz-") {
            continue;
        }
        // Values of one name follow each other.
        if name == last {
            return Err(incomplete(format!("The header '{name}' is there twice.")));
        }
        last = name;
        if !signed(name) && !MEANINGLESS.contains(&name) {
            return Err(unsigned(name));
        }
    }
    let mut names = list.split(';');
    match names.find(|name| !is_there(&parts.headers, name)) {
        Some(name) => Err(incomplete(format!(
            "The signed header '{}' is not in the request.",
            shortened(name)
        ))),
        None => Ok(()),
    }
}

/// The host is checked elsewhere.
fn is_there(headers: &HeaderMap, name: &str) -> bool {
    name == HOST.as_str() || headers.contains_key(name)
}

fn unsigned(name: &str) -> Error {
    Error::Scope {
        message: format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."),
    }
}
