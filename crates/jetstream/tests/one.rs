//! One NATS server keeps the promises of the traits.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code outside the functions marked as tests"
)]

mod support;

use support::stores::{journals, queues, rows};

storage::table_conformance!(rows(1).await);
storage::journal_conformance!(journals(1).await);
storage::queue_conformance!(queues(1).await);
