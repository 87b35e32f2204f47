//! What rows, messages and blobs mean to their owner, as far as a copy has to know; and what was copied.

use std::collections::BTreeMap;

use storage::Row;

/// The owner of what is kept.
pub trait Meaning: Send + Sync {
    /// What kind of row has this key, in the plural; `None` if it is not copied.
    fn row(&self, key: &str) -> Option<&'static str>;

    /// The blobs that a row names. Or why it cannot be read.
    fn blobs(&self, row: &Row) -> Result<Vec<String>, String>;

    /// What a message of a queue is.
    fn message(&self, queue: &str, body: &[u8]) -> Message;

    /// Where the names of blobs begin that are copied though no row names them.
    fn other_blobs(&self) -> &[String];
}

/// See [`Meaning::message`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What kind of message, in the plural.
    pub kind: &'static str,
    /// What it has in common with its earlier and later states, wherever they are, and with no other message.
    pub identity: Option<String>,
}

/// How much was copied, or is there.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Rows by kind.
    pub rows: BTreeMap<String, u64>,
    /// Messages by kind.
    pub messages: BTreeMap<String, u64>,
    /// Blobs that rows name, and other ones that are copied.
    pub blobs: u64,
}

impl Counts {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.messages.is_empty()
    }
}

/// How far a copy has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// That many messages.
    Messages(u64),
    /// That many rows.
    Rows(u64),
    /// That many of all blobs.
    Blobs(u64, u64),
}
