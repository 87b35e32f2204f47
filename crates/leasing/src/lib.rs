//! Who does which work: leases over a [`Table`](storage::Table).
//!
//! ```text
//!   lease/<group>/held/<work>         {holder, beat}      written by the holder at every beat
//!   lease/<group>/member/<holder>     {holder, beat}      written by every member at every beat
//! ```
//!
//! No clock is compared with another machine's: a row that has not changed for a whole term *by the
//! reader's own clock* belongs to somebody who is dead or stuck, and may be taken by compare-and-set. A
//! holder that could not write its beat stops using the lease well before its term is over, by its
//! own clock too.
//!
//! A lease is a hint: for the moment in which a stuck holder wakes up, two may work. What must not
//! happen twice is fenced where it happens.
//!
//! [`decide`] is the pure part: what a member does about the rows it sees. [`Member`] is one member; [`Singletons`] are
//! works that a process does while it has their leases.

mod config;
mod decide;
mod member;
mod singletons;
mod view;
mod waits;

pub use config::Config;
pub use member::{Held, Member};
pub use singletons::Singletons;

/// Before the name of a work, in the keys of the rows that say who holds it.
pub fn held_prefix(group: &str) -> String {
    format!("lease/{group}/held/")
}

/// The holder that such a row names.
pub fn holder(value: &[u8]) -> Option<String> {
    let claim: view::Claim = serde_json::from_slice(value).ok()?;
    Some(claim.holder)
}
