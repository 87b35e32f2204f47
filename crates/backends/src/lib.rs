//! Durable stores: SQLite for rows, journals and queues, files for blobs.
//!
//! ```text
//!   DATA-DIR/metadata.db     rows and journals        DATA-DIR/blobs/…     one file each
//!   DATA-DIR/queues.db       queues                   DATA-DIR/remembered  what they were last
//! ```
//!
//! Architecture invariant: only `server` imports this crate; roles see the traits of `storage`.

mod error;
mod local_blobs;
mod opening;
mod remembered;
mod space;
mod sqlite;

pub use error::Error;
pub use local_blobs::{LocalBlobs, blob_file};
pub use opening::Opening;
pub use remembered::Remembered;
pub use space::Space;
pub use sqlite::{Sqlite, SqliteQueue};
