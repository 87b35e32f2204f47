//! Filter patterns of event source mappings: which records a function wants to see.
//!
//! ```text
//!   {"body": {"kind": ["sale"], "price": [{"numeric": [">", 10]}]}}
//! ```
//!
//! A pattern is an object whose leaves are lists: a record passes if each field that is named has a
//! value of which some matcher in its list holds. Read [`json`], [`pattern`], then `matching`.
//!
//! Architecture invariant: pure; no IO, no clock, no knowledge of where records come from.

pub mod json;
pub mod pattern;

mod matching;

pub use json::Json;
pub use pattern::{Error, Pattern};
