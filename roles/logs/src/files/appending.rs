//! One stream's last segment, open for appending.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use api::logs::StreamName;
use types::Timestamp;

use super::path;
use super::room::Taken;
use super::segment::Head;
use crate::store::Line;

/// Lines are collected up to this many bytes before they are written.
const BUFFER_BYTES: usize = 1024 * 1024;

/// See the module.
pub(super) struct Appending {
    folder: PathBuf,
    name: StreamName,
    created: Timestamp,
    /// `None` if it was removed and nothing has arrived since.
    file: Option<File>,
    path: PathBuf,
    base: u64,
    bytes: u64,
    /// What was written and not counted yet.
    written: Taken,
    buffer: Vec<u8>,
}

impl Appending {
    /// Opens the last segment of a stream, or creates its first. The files and folders around it exist.
    pub(super) fn open(folder: &Path, name: &StreamName, now: Timestamp) -> io::Result<Self> {
        let group = path::group_folder(folder, &name.scope, &name.group);
        let files = path::stream_files(&group)?;
        let mine = files.iter().filter(|file| file.stream == name.stream);
        let base = mine.map(|file| file.base).max().unwrap_or(0);
        let path = path::segment_file(folder, name, base);
        let mut file = open(&path)?;
        let created = created(&mut file)?.unwrap_or(now);
        let mut opened = Self {
            folder: folder.to_owned(),
            name: name.clone(),
            created,
            bytes: file.seek(SeekFrom::End(0))?,
            file: Some(file),
            path,
            base,
            written: Taken::default(),
            buffer: Vec::new(),
        };
        match opened.bytes {
            0 => opened.begin()?,
            _ => opened.end_line()?,
        }
        Ok(opened)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What was written since the last call.
    pub(super) fn take_written(&mut self) -> Taken {
        std::mem::take(&mut self.written)
    }

    /// Adds a line; call [`Appending::flush`] after the last.
    pub(super) fn add(&mut self, line: &Line, segment_bytes: u64) -> io::Result<()> {
        let before = self.buffer.len();
        serde_json::to_writer(&mut self.buffer, line).expect("a line is numbers and a text");
        self.buffer.push(b'\n');
        if self.bytes + self.buffer.len() as u64 > segment_bytes {
            let line = self.buffer.split_off(before);
            self.flush()?;
            self.rotate()?;
            self.buffer = line;
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what was added.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.buffer);
        self.write(&bytes)?;
        self.bytes += bytes.len() as u64;
        self.written.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Whether enough was written that it is time to count it.
    pub(super) fn has_grown(&self) -> bool {
        self.written.bytes >= BUFFER_BYTES as u64
    }

    /// Continues in a new segment.
    fn rotate(&mut self) -> io::Result<()> {
        self.base += self.bytes;
        self.bytes = 0;
        self.path = path::segment_file(&self.folder, &self.name, self.base);
        self.file = Some(open(&self.path)?);
        self.begin()
    }

    /// The segment was removed. What arrives next is written to a new one, which is created then.
    pub(super) fn lost(&mut self) {
        self.file = None;
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            // The file of its name may have been removed as well.
            path::prepare(&self.folder, &self.name)?;
            self.rotate()?;
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Writes a segment's first line.
    fn begin(&mut self) -> io::Result<()> {
        let head = Head {
            created: self.created,
        };
        let mut line = serde_json::to_vec(&head).expect("a head is a number");
        line.push(b'\n');
        self.write(&line)?;
        self.bytes += line.len() as u64;
        self.written.bytes += line.len() as u64;
        self.written.files += 1;
        Ok(())
    }

    /// An unfinished line from a crash must not swallow the next line.
    fn end_line(&mut self) -> io::Result<()> {
        let mut last = [0];
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last != *b"\n" {
            self.write(b"\n")?;
            self.bytes += 1;
            self.written.bytes += 1;
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// When the stream of a segment was created, if its first line says so.
fn created(file: &mut File) -> io::Result<Option<Timestamp>> {
    // `{"c":` and at most twenty digits.
    let mut start = [0; 32];
    let count = file.read(&mut start)?;
    let line = start[..count].split(|byte| *byte == b'\n').next();
    let head = line.and_then(|line| serde_json::from_slice::<Head>(line).ok());
    Ok(head.map(|head| head.created))
}
