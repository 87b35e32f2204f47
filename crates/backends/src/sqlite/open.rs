//! Opens the file: whether it is ours, which schema it has, how SQLite shall treat it.
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
//!   messages  queue, visible_from, receives, owner, body
//!                                                   visible_from: milliseconds since 1970
//!   owners    name, messages, bytes                 what is kept of each; 0: the system itself
//!   counters  name, value
//! ```
//!
//! In both, the counters `id` and `starts` are what [`Mark`] tells files apart by.
//!
//! All are rowid tables: with values of kilobytes, tables without a rowid hold few rows a page.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::check::{self, Found};
use super::commit::{Written, checkpointed};
use super::names::Names;
use super::query::unsigned;
use crate::remembered::Mark;
use crate::{Error, Opening, Remembered};

/// A file from before incremental vacuum is converted at a start at which it has no more than this in it:
/// converting rewrites it, which takes a second or two.
const REWRITTEN_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Which tables a file has.
pub(super) struct Schema {
    /// The name of the thread that writes them.
    pub(super) writer: &'static str,
    /// In the header of the file: whose it is.
    application_id: i32,
    /// The tables as they are made in a new file.
    tables: &'static str,
    /// Which version of the schema that is.
    version: u32,
    /// What makes each version of the one before it, from the second on.
    migrations: &'static [&'static str],
    /// How far it is written: a number that never goes down.
    writes: &'static str,
    /// Whether room in the file is given back to the disk.
    shrinks: bool,
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
    version: 1,
    migrations: &[],
    writes: "SELECT value FROM counters WHERE name = 'revision'",
    shrinks: false,
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
        owner INTEGER NOT NULL DEFAULT 0,
        body BLOB NOT NULL
    );
    CREATE INDEX messages_by_time ON messages (queue, visible_from, id);
    CREATE TABLE owners (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        messages INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    );
    INSERT INTO owners VALUES (0, '', 0, 0);
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
",
    version: 2,
    migrations: &["
    CREATE TABLE owners (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        messages INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    );
    INSERT INTO owners SELECT 0, '', count(*), ifnull(sum(length(body)), 0) FROM messages;
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    ALTER TABLE messages ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;
"],
    writes: "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'messages'",
    shrinks: true,
};

/// Where it is noted how far a file is written.
pub(super) struct Noted {
    path: PathBuf,
    remembered: Option<Arc<Remembered>>,
    mark: Mark,
}

impl Noted {
    /// The file is written up to here. What cannot be noted is noted next time: less is remembered then.
    pub(super) fn note(&mut self, writes: u64) {
        let Some(remembered) = &self.remembered else {
            return;
        };
        let mark = Mark {
            writes: writes.max(self.mark.writes),
            ..self.mark
        };
        if mark == self.mark {
            return;
        }
        match remembered.note(&self.path, mark) {
            Ok(()) => self.mark = mark,
            Err(error) => tracing::warn!(%error, "could not record how far a store is written"),
        }
    }
}

/// The writer's connection, to a file whose schema is the present one, and that can be written.
pub(super) fn open(
    path: &Path,
    schema: &Schema,
    opening: &Opening,
) -> Result<(Connection, Written), Error> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let refused = |source| Error::of(path, source);
    let remembered = opening.remembered.as_deref();
    // Of an empty file SQLite would throw the log away, which may have everything.
    if std::fs::metadata(path).map_or(true, |file| file.len() == 0) {
        remembered.map_or(Ok(()), |known| known.check(path, None))?;
    }
    create_private(path).map_err(io)?;
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(refused)?;
    match is_ours(&connection, schema).map_err(refused)? {
        Some(true) => {}
        Some(false) => {
            return Err(Error::Foreign {
                path: path.to_owned(),
            });
        }
        None => {
            remembered.map_or(Ok(()), |known| known.check(path, None))?;
            initialise(&connection, schema).map_err(refused)?;
        }
    }
    let found: u32 = connection
        .query_row("SELECT version FROM schema", [], |row| row.get(0))
        .map_err(refused)?;
    if found > schema.version {
        return Err(Error::Newer {
            path: path.to_owned(),
            found,
            known: schema.version,
        });
    }
    match check::look(&mut connection).map_err(refused)? {
        Found::Sound => {}
        Found::Unfinished => tracing::info!(
            file = %path.display(),
            "a large database was checked for damage only in part"
        ),
        Found::Damage(finding) => {
            return Err(Error::DamagedInside {
                path: path.to_owned(),
                finding,
            });
        }
    }
    if let Some(known) = remembered {
        let mark = mark(&connection, schema).map_err(refused)?;
        known.check(path, Some(mark))?;
    }
    // Only now is anything in an existing file touched.
    configure(&connection).map_err(refused)?;
    migrate(&connection, schema, found).map_err(refused)?;
    // Shows that it can be written, too.
    begin(&connection).map_err(refused)?;
    checkpointed(&connection).map_err(refused)?;
    sync_folder(path).map_err(io)?;
    let mark = mark(&connection, schema).map_err(refused)?;
    if let Some(known) = remembered {
        known.note(path, mark).map_err(io)?;
    }
    let noted = Noted {
        path: path.to_owned(),
        remembered: opening.remembered.clone(),
        mark,
    };
    let names = Names::of(path).map_err(io)?;
    Ok((connection, Written { names, noted }))
}

/// What tells this state of the file from others.
fn mark(connection: &Connection, schema: &Schema) -> rusqlite::Result<Mark> {
    let counter = |name: &str| {
        let select = "SELECT value FROM counters WHERE name = ?1";
        let found = connection.query_row(select, [name], |row| row.get(0));
        match found {
            // A file of before there were marks may not even have the table.
            Err(rusqlite::Error::SqliteFailure(_, Some(text)))
                if text.contains("no such table") =>
            {
                Ok(None)
            }
            found => found.optional(),
        }
    };
    Ok(Mark {
        id: counter("id")?.unwrap_or(0),
        starts: unsigned(counter("starts")?.unwrap_or(0)),
        writes: unsigned(connection.query_row(schema.writes, [], |row| row.get(0))?),
    })
}

/// One start more.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "BEGIN IMMEDIATE;
         INSERT OR IGNORE INTO counters VALUES ('id', random()), ('starts', 0);
         UPDATE counters SET value = value + 1 WHERE name = 'starts';
         COMMIT;",
    )
}

/// Makes an older schema the present one, step by step.
fn migrate(connection: &Connection, schema: &Schema, found: u32) -> rusqlite::Result<()> {
    let done = usize::try_from(found.saturating_sub(1)).unwrap_or(0);
    for (step, version) in schema.migrations.iter().zip(2..).skip(done) {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(step)?;
        transaction.execute("UPDATE schema SET version = ?1", [version])?;
        transaction.commit()?;
    }
    if !schema.shrinks {
        return Ok(());
    }
    let number = |name| connection.pragma_query_value(None, name, |row| row.get(0).map(unsigned));
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    let small = pages.saturating_mul(number("page_size")?) <= REWRITTEN_BYTES_MAX;
    if number("auto_vacuum")? == 0 && small {
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")?;
    }
    Ok(())
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
    if schema.shrinks {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    // One transaction, header included: a file is ours in full or still empty.
    let transaction = connection.unchecked_transaction()?;
    transaction.pragma_update(None, "application_id", schema.application_id)?;
    transaction.execute_batch(schema.tables)?;
    transaction.execute("INSERT INTO schema VALUES (1, ?1)", [schema.version])?;
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
