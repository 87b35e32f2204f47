//! Functions: the operations. What a request may say of them, and what is answered, is `settings::functions`.

mod create;
mod delete;
pub(crate) mod package;
mod read;
mod resolve;
mod update;
