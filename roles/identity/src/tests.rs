//! STS as its callers see it, over a table in memory.

mod callers;
mod harness;
mod sessions;
mod sts;
