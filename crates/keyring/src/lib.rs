//! The installation's master keys: every other key is derived from them, and they can be replaced.
//!
//! ```text
//!   newest   seals and signs             secret = newest | … | oldest, 32 bytes each
//!   others   open what they have sealed
//! ```
//!
//! What is sealed names its key, so that a new one can be put before the others ([`Keyring::rotate`])
//! and nothing sealed earlier is lost: a process that meets an unknown key reads the file again. Once
//! nothing is left that an old key sealed, the key is removed ([`Keyring::retire`]).
//!
//! Read in this order: [`master`] is one key, [`keyring`] all of them, [`file`] where they are kept,
//! [`derived`] what is made
//! of them for a purpose, [`sealing`] their main use.

mod derived;
mod file;
mod keyring;
mod master;
mod sealing;

pub use derived::Derived;
pub use keyring::Keyring;
pub use master::{KeyId, MasterKey};
pub use sealing::Sealing;
