//! IAM and STS as their callers see them, over a table in memory.

mod callers;
mod harness;
mod quotas;
mod sessions;
mod sts;
