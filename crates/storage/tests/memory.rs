//! The stores in memory keep the promises of their traits.

use storage::memory::{MemoryBlobs, MemoryJournal, MemoryTable};

storage::table_conformance!(Box::new(MemoryTable::default()));
storage::journal_conformance!(Box::new(MemoryJournal::default()));
storage::blobs_conformance!(Box::new(MemoryBlobs::default()));
