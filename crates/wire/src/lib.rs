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

pub use error::ApiError;

/// Bytes of a text of the caller's that a refusal shows.
const QUOTED_BYTES_MAX: usize = 512;

/// The caller's own words, for a refusal: as many of them as one needs to know them again.
pub fn shortened(text: &str) -> std::borrow::Cow<'_, str> {
    let end = text.floor_char_boundary(QUOTED_BYTES_MAX);
    match end < text.len() {
        true => format!("{}...", &text[..end]).into(),
        false => text.into(),
    }
}
