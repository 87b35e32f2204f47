//! The thread that writes log files. Nothing else changes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use api::logs::StreamName;
use tokio::sync::oneshot;
use types::{Scope, Timestamp};

use super::appending::Appending;
use super::path;
use super::room::{Bounds, Room, Taken};
use super::segment;
use super::{Batch, Counts};
use crate::store::Line;

/// Files held open. More streams than this in use at once cost one open for each burst.
const FILES_MAX: usize = 128;
/// Batches taken together: lines of one stream then cost one write.
const TOGETHER: usize = 256;

/// A command to the thread. Its sender may have gone when it is done.
pub(super) enum Command {
    /// Keeps what functions print.
    Append(Batch),
    /// Stores events whose sender waits until they are stored.
    Put(StreamName, Vec<Line>, oneshot::Sender<io::Result<()>>),
    /// Creates an empty stream; returns whether it did not exist.
    CreateStream(StreamName, Timestamp, oneshot::Sender<io::Result<bool>>),
    /// Removes a stream; returns whether it existed.
    DeleteStream(StreamName, oneshot::Sender<io::Result<bool>>),
    /// Removes a group with everything in it.
    DeleteGroup(Scope, String, oneshot::Sender<io::Result<()>>),
    /// Removes the segments of a group that were last written to before then.
    Expire(Scope, String, Timestamp),
}

/// See the module.
pub(super) struct Writer {
    folder: PathBuf,
    counts: Arc<Counts>,
    room: Room,
    disk: Arc<dyn storage::Room>,
    files: BTreeMap<StreamName, OpenFile>,
    /// Counts uses, to find the file that was not used for longest.
    uses: u64,
    /// Whether the last write failed: logged once, not for every line.
    failing: bool,
}

struct OpenFile {
    file: Appending,
    used: u64,
}

impl Writer {
    pub(super) fn new(
        folder: PathBuf,
        bounds: Bounds,
        (counts, disk): (Arc<Counts>, Arc<dyn storage::Room>),
    ) -> Self {
        Self {
            room: Room::new(&folder, bounds),
            disk,
            folder,
            counts,
            files: BTreeMap::new(),
            uses: 0,
            failing: false,
        }
    }

    /// Works until all senders are gone and everything is done.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        while let Ok(first) = commands.recv() {
            let mut together: BTreeMap<StreamName, Vec<Batch>> = BTreeMap::new();
            let mut next = Some(first);
            let mut count = 0;
            while let Some(command) = next.take() {
                match command {
                    Command::Append(batch) => {
                        let batches = together.entry(batch.stream.clone()).or_default();
                        batches.push(batch);
                        count += 1;
                    }
                    other => {
                        // What arrived before must be written before.
                        self.write_all(std::mem::take(&mut together));
                        self.obey(other);
                    }
                }
                if count < TOGETHER {
                    next = commands.try_recv().ok();
                }
            }
            self.write_all(together);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Append(batch) => self.write(&batch.stream.clone(), &[batch]),
            Command::Put(stream, lines, done) => {
                let _ = done.send(self.append(&stream, lines.into_iter()));
            }
            Command::CreateStream(stream, now, done) => {
                let _ = done.send(self.create_stream(&stream, now));
            }
            Command::DeleteStream(stream, done) => {
                let _ = done.send(self.delete_stream(&stream));
            }
            Command::DeleteGroup(scope, group, done) => {
                let _ = done.send(self.delete_group(&scope, &group));
            }
            Command::Expire(scope, group, before) => {
                let folder = path::group_folder(&self.folder, &scope, &group);
                let removed = self.room.expire(&folder, before);
                self.removed(removed);
            }
        }
    }

    fn write_all(&mut self, together: BTreeMap<StreamName, Vec<Batch>>) {
        for (stream, batches) in together {
            self.write(&stream, &batches);
        }
    }

    fn write(&mut self, stream: &StreamName, batches: &[Batch]) {
        let count = batches.iter().map(|batch| batch.events.len() as u64).sum();
        let events = batches.iter().flat_map(|batch| &batch.events);
        let written = self.append(
            stream,
            events.map(|event| Line {
                time: event.time,
                ingested: None,
                message: event.message.clone(),
            }),
        );
        let bytes = batches.iter().map(|batch| batch.bytes).sum();
        self.counts
            .waiting_bytes
            .fetch_sub(bytes, Ordering::Relaxed);
        match written {
            Ok(()) => {
                self.counts
                    .written_events
                    .fetch_add(count, Ordering::Relaxed);
                self.failing = false;
            }
            Err(error) => {
                self.counts
                    .dropped_events
                    .fetch_add(count, Ordering::Relaxed);
                if !self.failing {
                    tracing::warn!(error = %error, "log lines cannot be written and are dropped");
                }
                self.failing = true;
            }
        }
    }

    /// Writes lines, and after each megabyte or so makes room for it: however much arrives at once, no
    /// more is on disk than there may be.
    fn append(&mut self, stream: &StreamName, lines: impl Iterator<Item = Line>) -> io::Result<()> {
        let mut lines = lines.peekable();
        let segment_bytes = self.room.bounds().segment_bytes();
        while let Some(first) = lines.peek() {
            if !self.disk.is_there() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let made = first.ingested.unwrap_or(first.time);
            let mut open = self.take(stream, made)?;
            // What fails is not put back: the file may end in half a line, and opening it again repairs
            // that.
            let mut done = Ok(());
            while done.is_ok()
                && !open.has_grown()
                && let Some(line) = lines.next()
            {
                done = open.add(&line, segment_bytes);
            }
            let done = done.and_then(|()| open.flush());
            let grown = open.take_written();
            if done.is_ok() {
                self.put_back(stream, open);
            }
            self.grown(stream, grown);
            done?;
        }
        Ok(())
    }

    fn grown(&mut self, stream: &StreamName, by: Taken) {
        let folder = path::group_folder(&self.folder, &stream.scope, &stream.group);
        let removed = self.room.grown(&folder, by);
        self.removed(removed);
    }

    /// The stream's file, from the open ones or opened now.
    fn take(&mut self, stream: &StreamName, now: Timestamp) -> io::Result<Appending> {
        if let Some(open) = self.files.remove(stream) {
            return Ok(open.file);
        }
        let folder = path::group_folder(&self.folder, &stream.scope, &stream.group);
        if !self.room.may_begin(&folder) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        path::prepare(&self.folder, stream)?;
        Appending::open(&self.folder, stream, now)
    }

    fn put_back(&mut self, stream: &StreamName, file: Appending) {
        if self.files.len() >= FILES_MAX {
            let oldest = self.files.iter().min_by_key(|(_, open)| open.used);
            let oldest = oldest.map(|(stream, _)| stream.clone());
            if let Some(oldest) = oldest {
                self.files.remove(&oldest);
            }
        }
        self.uses += 1;
        let used = self.uses;
        self.files.insert(stream.clone(), OpenFile { file, used });
    }

    /// Files were removed: those of them that are open continue in a new one, if more arrives.
    fn removed(&mut self, removed: Vec<PathBuf>) {
        let groups: BTreeSet<PathBuf> = removed
            .iter()
            .filter_map(|path| path.parent().map(Path::to_owned))
            .collect();
        for path in removed {
            let mut open = self.files.values_mut();
            if let Some(open) = open.find(|open| open.file.path() == path) {
                open.file.lost();
            }
        }
        for group in groups {
            if let Err(error) = path::forget_streams(&group) {
                tracing::warn!(error = %error, "could not remove the names of deleted log streams");
            }
        }
    }

    fn create_stream(&mut self, stream: &StreamName, now: Timestamp) -> io::Result<bool> {
        if !self.segments(stream)?.is_empty() {
            return Ok(false);
        }
        if !self.disk.is_there() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut made = self.take(stream, now)?;
        let grown = made.take_written();
        self.put_back(stream, made);
        self.grown(stream, grown);
        Ok(true)
    }

    fn delete_stream(&mut self, stream: &StreamName) -> io::Result<bool> {
        self.files.remove(stream);
        let segments = self.segments(stream)?;
        let folder = path::group_folder(&self.folder, &stream.scope, &stream.group);
        for segment in &segments {
            remove(&segment.path)?;
            self.room.shrunk(&folder, segment.bytes);
        }
        if let Some(name) = path::name_file(&self.folder, stream) {
            remove(&name)?;
        }
        Ok(!segments.is_empty())
    }

    fn delete_group(&mut self, scope: &Scope, group: &str) -> io::Result<()> {
        self.files
            .retain(|stream, _| stream.scope != *scope || stream.group != group);
        let folder = path::group_folder(&self.folder, scope, group);
        self.room.forget(&folder);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => path::forget_group(&self.folder, scope, group),
        }
    }

    fn segments(&self, stream: &StreamName) -> io::Result<Vec<segment::Segment>> {
        let folder = path::group_folder(&self.folder, &stream.scope, &stream.group);
        let mut all = segment::of_group(&folder)?;
        Ok(all.remove(&stream.stream).unwrap_or_default())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
