//! An open file: one thread that writes it, and connections that read it at the same time.
//!
//! Which tables the file has and which commands its writer knows is its owner's affair.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use storage::Error as StorageError;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::commit::{self, COMMANDS_WAITING_MAX, Job, Reply, Writes};
use super::open::{self, Schema};
use crate::error::{Closed, unavailable};
use crate::{Error, Opening};

/// Connections for reading. Reads are of a few rows and a few microseconds; two let a long listing
/// pass by.
const READERS: usize = 2;

/// A file whose writer takes commands `C`. Dropping it waits for the writer to finish what it was
/// given.
pub(super) struct DatabaseFile<C> {
    /// `None` only while it is dropped.
    commands: Option<mpsc::Sender<Job<C>>>,
    /// `None` only while it is dropped.
    readers: Option<Arc<[Mutex<Connection>]>>,
    /// As many as there are readers. A caller that gives up waiting leaves nothing behind, though reads on a disk
    /// that hangs stay.
    reading: Arc<Semaphore>,
    writer: Option<JoinHandle<()>>,
}

impl<C: Send + 'static> DatabaseFile<C> {
    /// Opens the file at `path`, or makes it, and starts its writer's thread under the schema's
    /// name. `writer` makes what that thread runs of the connection that may write.
    pub(super) fn open<W: Writes<Command = C> + Send + 'static>(
        path: &Path,
        schema: &Schema,
        opening: &Opening,
        writer: impl FnOnce(Connection) -> rusqlite::Result<W>,
    ) -> Result<Self, Error> {
        let (connection, written) = open::open(path, schema, opening)?;
        let damaged = |source| Error::of(path, source);
        let readers = (0..READERS)
            .map(|_| open::reader(path).map(Mutex::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(damaged)?;
        let (commands, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
        let writer = writer(connection).map_err(damaged)?;
        let writer = thread::Builder::new()
            .name(schema.writer.to_owned())
            .spawn(move || commit::run(writer, written, receiver))
            .map_err(|source| Error::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            commands: Some(commands),
            readers: Some(readers.into()),
            reading: Arc::new(Semaphore::new(READERS)),
            writer: Some(writer),
        })
    }

    /// Has the writer carry out a command, and waits until that is on disk.
    pub(super) async fn command<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> C,
    ) -> Result<T, StorageError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(command(sender)).await?;
        receiver.await.map_err(|_| unavailable(Closed))?
    }

    /// Gives the writer a command whose answer, if any, goes elsewhere.
    pub(super) async fn tell(&self, command: C) -> Result<(), StorageError> {
        self.give(Job::Do(command)).await
    }

    /// Brings all that was acknowledged into the file itself.
    pub(super) async fn checkpoint(&self) -> Result<(), StorageError> {
        let (sender, receiver) = oneshot::channel();
        self.give(Job::Checkpoint(sender)).await?;
        receiver.await.map_err(|_| unavailable(Closed))?
    }

    async fn give(&self, job: Job<C>) -> Result<(), StorageError> {
        let commands = self
            .commands
            .as_ref()
            .expect("it is there until the file is dropped");
        let sent = commands.send(job).await;
        sent.map_err(|_| unavailable(Closed))
    }

    /// Runs a query on whichever reader is free.
    pub(super) async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let turn = Arc::clone(&self.reading).acquire_owned().await;
        let turn = turn.map_err(unavailable)?;
        let readers = self
            .readers
            .clone()
            .expect("they are there until the file is dropped");
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let free = readers.iter().find_map(|reader| reader.try_lock().ok());
            // A reader keeps no state from one query to the next that a panic could have spoiled.
            let reader =
                free.unwrap_or_else(|| readers[0].lock().unwrap_or_else(PoisonError::into_inner));
            query(&reader)
        });
        let found = answer.await.map_err(unavailable)?;
        found.map_err(|error| {
            tracing::error!(%error, "a store cannot be read");
            unavailable(error)
        })
    }
}

impl<C> Drop for DatabaseFile<C> {
    fn drop(&mut self) {
        drop(self.commands.take());
        // The writer's connection is to be the last: it is the one that can leave nothing in the log.
        drop(self.readers.take());
        if let Some(writer) = self.writer.take() {
            // Whether it has panicked or not: it has ended, and its callers were answered.
            let _ = writer.join();
        }
    }
}
