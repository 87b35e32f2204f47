//! Functions: the operations. What a request may contain, and the answers, are `settings::functions`.

mod create;
mod delete;
pub(crate) mod package;
mod read;
mod resolve;
mod update;
