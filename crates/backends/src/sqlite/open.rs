//! Opening the file: whose it is, which schema it has, how SQLite is to treat it.
//!
//! ```text
//!   both files
//!   schema    version                               one row
//!
//!   metadata.db
//!   counters  name, value                           'revision': the last one given
//!   rows      key, value, revision
//!   journals  name, next                            next: the tail, which trimming leaves alone
//!   records   journal, position, bytes
//!
//!   queues.db
//!   queues    name
//!   messages  queue, visible_from, receives, body   visible_from: milliseconds since 1970
//! ```
//!
//! All are rowid tables: with values of kilobytes, tables without a rowid hold few rows a page.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::Error;

/// The schema this code writes.
const SCHEMA_VERSION: u32 = 1;

/// Which tables a file has.
pub(super) struct Schema {
    /// The name of the thread that writes them.
    pub(super) writer: &'static str,
    /// In the header of the file: whose it is.
    application_id: i32,
    tables: &'static str,
}

/// Of the file with rows and journals.
pub(super) const METADATA: Schema = Schema {
    writer: "sqlite-writer",
    // "LMBT"
    application_id: 0x4c4d_4254,
    tables: "
    CREATE TABLE schema (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE rows (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        value BLOB NOT NULL,
        revision INTEGER NOT NULL
    );
    CREATE TABLE journals (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        next INTEGER NOT NULL
    );
    CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        journal INTEGER NOT NULL,
        position INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        UNIQUE (journal, position)
    );
    INSERT INTO counters VALUES ('revision', 0);
",
};

/// Of the file with queues. Its ids are never used again (AUTOINCREMENT): a late ack of a message that
/// is gone must not remove another.
pub(super) const QUEUES: Schema = Schema {
    writer: "queue-writer",
    // "LMBQ"
    application_id: 0x4c4d_4251,
    tables: "
    CREATE TABLE schema (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
    CREATE TABLE queues (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue INTEGER NOT NULL,
        visible_from INTEGER NOT NULL,
        receives INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX messages_by_time ON messages (queue, visible_from, id);
",
};

/// The writer's connection, to a file whose schema is the present one.
pub(super) fn open(path: &Path, schema: &Schema) -> Result<Connection, Error> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    create_private(path).map_err(io)?;
    let damaged = |source| Error::Damaged {
        path: path.to_owned(),
        source,
    };
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(damaged)?;
    match is_ours(&connection, schema).map_err(damaged)? {
        Some(true) => {}
        Some(false) => {
            return Err(Error::Foreign {
                path: path.to_owned(),
            });
        }
        None => initialise(&connection, schema).map_err(damaged)?,
    }
    let found: u32 = connection
        .query_row("SELECT version FROM schema", [], |row| row.get(0))
        .map_err(damaged)?;
    if found > SCHEMA_VERSION {
        return Err(Error::Newer {
            path: path.to_owned(),
            found,
            known: SCHEMA_VERSION,
        });
    }
    // Only now is anything in an existing file touched.
    configure(&connection).map_err(damaged)?;
    sync_folder(path).map_err(io)?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection is used by one thread at a time, so SQLite needs no lock of its own.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // There is one writer, so nobody waits for long but behind a checkpoint or a backup tool.
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(connection)
}

fn create_private(path: &Path) -> io::Result<()> {
    // SQLite gives its WAL and its shared memory file the mode of the database.
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

/// `None` for a file with nothing in it: a new one, or one whose maker was killed at once.
fn is_ours(connection: &Connection, schema: &Schema) -> rusqlite::Result<Option<bool>> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(if id == 0 && tables == 0 {
        None
    } else {
        Some(id == schema.application_id)
    })
}

fn initialise(connection: &Connection, schema: &Schema) -> rusqlite::Result<()> {
    // One transaction, header included: a file is ours in full or still empty.
    let transaction = connection.unchecked_transaction()?;
    transaction.pragma_update(None, "application_id", schema.application_id)?;
    transaction.execute_batch(schema.tables)?;
    transaction.execute("INSERT INTO schema VALUES (1, ?1)", [SCHEMA_VERSION])?;
    transaction.commit()
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL syncs the WAL at every commit; NORMAL would lose acknowledged writes at a power loss.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What a burst has made of the WAL is given back to the disk: 64 MiB.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    Ok(())
}

/// The database's own name must be on disk as well; SQLite sees to the WAL's.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
