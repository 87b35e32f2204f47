//! The installation's master keys: what every other key is derived from, and how one takes another's place.
//!
//! ```text
//!   newest   seals and signs             secret = newest | … | oldest, 32 bytes each
//!   others   open what they have sealed
//! ```
//!
//! What is sealed names its key, so that a new one can be put before the others ([`Keyring::rotate`]) and nothing
//! sealed before is lost: a process that meets a key it does not know reads the file again. Once
//! nothing is left that an old key sealed, it is removed ([`Keyring::retire`]).
//!
//! Read in this order: [`master`] is one key, [`keyring`] all of them, [`file`] where they are kept, [`sealing`] what
//! most of them are for.

mod file;
mod keyring;
mod master;
mod sealing;

pub use keyring::Keyring;
pub use master::{KeyId, MasterKey};
pub use sealing::Sealing;
