//! The stores in memory keep the promises of their traits.

use std::sync::Arc;

use storage::memory::{MemoryBlobs, MemoryJournal, MemoryQueue, MemoryTable};
use types::SystemClock;

storage::table_conformance!(Box::new(MemoryTable::default()));
storage::journal_conformance!(Box::new(MemoryJournal::default()));
storage::queue_conformance!(Box::new(MemoryQueue::new(Arc::new(SystemClock))));
storage::blobs_conformance!(Box::new(MemoryBlobs::default()));
