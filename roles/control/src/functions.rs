//! Functions: what a request may say ([`settings`], [`rules`]), what is answered ([`shape`]), and
//! the operations.

mod create;
mod delete;
mod read;
pub(crate) mod rules;
pub(crate) mod settings;
pub(crate) mod shape;
mod update;

pub(crate) use read::arn_of;
pub(crate) use rules::{check_revision, check_settled};
