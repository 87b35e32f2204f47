//! The control plane as its callers see it, over stores in memory.

mod access;
mod aliases;
mod concurrency;
mod functions;
mod harness;
mod hostile;
mod keys;
mod layers;
mod misc;
mod permissions;
mod placed;
mod provisioning;
mod quotas;
mod recovery;
mod refusals;
mod several;
mod unused_packages;
mod updates;
mod urls;
mod versions;
mod workers;

/// A function once it has been settled.
pub(crate) use records::examples::function;
