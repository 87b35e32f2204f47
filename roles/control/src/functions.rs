//! Functions: what a request may say ([`settings`], [`package`], [`rules`], [`combinations`]), what is
//! answered ([`shape`]), and the operations.

mod combinations;
mod create;
mod delete;
pub(crate) mod package;
mod read;
mod resolve;
pub(crate) mod rules;
mod runtimes;
pub(crate) mod settings;
pub(crate) mod shape;
mod update;

pub(crate) use read::arn_of;
pub(crate) use rules::{check_revision, check_settled};
pub use runtimes::RuntimesHere;
