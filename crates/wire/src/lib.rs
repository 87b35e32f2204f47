//! AWS's wire formats: signatures, REST-JSON routes and errors, the query protocol, and the words
//! in which Lambda refuses a request.
//!
//! Architecture invariant: everything here is a pure function of a request's bytes and the time;
//! no IO, no tokio, no role's state. Looking up a secret is the caller's part.

pub mod authority;
pub mod error;
pub mod event_stream;
pub mod function_name;
pub mod function_url;
pub mod json_rpc;
pub mod lineage;
pub mod model;
pub mod query;
pub mod rest;
pub mod sigv4;
pub mod uri;
pub mod validation;
pub mod xml;

pub use error::ApiError;

/// Bytes of a text of the caller's that a refusal shows.
const QUOTED_BYTES_MAX: usize = 512;

/// The caller's own words, for a refusal: as many of them as one needs to know them again.
pub fn shortened(text: &str) -> std::borrow::Cow<'_, str> {
    match beginning(text, QUOTED_BYTES_MAX) {
        part if part.len() < text.len() => format!("{part}...").into(),
        whole => whole.into(),
    }
}

/// The first characters of a text, of at most `max` bytes together.
fn beginning(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
