//! The cluster's stores: tables, journals and queues in NATS JetStream.
//!
//! ```text
//!   Cluster ─┬─▶ Rows      one stream, a subject per row   ─▶ Mirror: all of it in memory
//!            ├─▶ Journals  a stream per partition             ▲
//!            └─▶ Queues    a stream per queue        names of streams: Registry, a table of its own
//! ```
//!
//! Read `cluster.rs`, `api.rs` (questions, and what is done until they are answered), then a store.
//! Whatever is written carries an id, by which the server knows it again: what is sent twice since its answer was
//! lost is written once.
//!
//! Architecture invariant: only cluster roles of `server` know this crate; roles see the traits of `storage`.

mod api;
mod checks;
mod cluster;
mod error;
mod journals;
mod names;
mod queues;
mod registry;
mod rows;
#[cfg(feature = "s3")]
mod s3;
mod stream;

pub use cluster::{Cluster, Login, Settings, Sync};
pub use error::Error;
pub use journals::Journals;
pub use queues::Queues;
pub use rows::Rows;
#[cfg(feature = "s3")]
pub use s3::{Bucket, Objects, S3};
