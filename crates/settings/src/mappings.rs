//! Event source mappings: the members of a request ([`Members`]), the source that they name
//! ([`source`], [`Kind`]), how they change a mapping ([`apply`]), which mappings are valid ([`check`]),
//! and the answer ([`Answer`]).

mod answer;
mod changes;
mod members;
mod position;
mod rules;
mod source;
#[cfg(test)]
mod tests;

pub use answer::{Answer, State};
pub use changes::{apply, apply_to_source, defaults};
pub use members::Members;
pub use position::starting_position;
pub use rules::{TIMEOUT_SECONDS_MAX, check, check_access_is_given};
pub use source::{Kind, source, unsupported_destinations};
