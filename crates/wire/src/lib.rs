//! AWS's wire formats: signatures, REST-JSON routes and errors, the query protocol, and the words
//! in which Lambda refuses a request.
//!
//! Architecture invariant: everything here is a pure function of a request's bytes and the time;
//! no IO, no tokio, no role's state. Looking up a secret is the caller's part.

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
