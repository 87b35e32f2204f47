//! Three NATS servers, each with a copy of everything, keep the promises of the traits.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code outside the functions marked as tests"
)]

mod support;

use support::stores::{journals, queues, rows};

storage::table_conformance!(rows(3).await);
storage::journal_conformance!(journals(3).await);
storage::queue_conformance!(queues(3).await);
