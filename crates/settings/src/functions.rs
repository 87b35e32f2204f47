//! Functions: the members of a request that are settings ([`Settings`]), rules for each ([`check_role`] and its
//! neighbours) and for several together ([`check_combinations`]), and the answer ([`FunctionConfiguration`]).

mod combinations;
mod given;
mod rules;
mod runtimes;
mod shape;

pub use combinations::{check_combinations, check_layer_list};
pub use given::{Environment, Resolved, Settings, Variables};
pub use rules::{
    begin_update, check_environment, check_revision, check_role, check_settled, check_tags,
    update_in_progress,
};
pub use runtimes::{RuntimesHere, check_runtime};
pub use shape::{FunctionConfiguration, arn_of, version_arn};
