//! What the stores' files were when they were last seen, in a file next to them: so that one that is
//! empty, another server's, or older than what was acknowledged is not mistaken for the current one.
//!
//! ```text
//!   DATA-DIR/remembered     {"metadata.db":{"id":…,"starts":7,"writes":1234},"queues.db":…}
//! ```
//!
//! A store is written before it is noted here, so it never has less than what this file says, unless
//! something was lost. A copy of the whole folder, made while nobody writes, agrees with itself.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::Error;

/// What tells one state of a file from an earlier one, and from another file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Chosen by chance when the file is made; 0 for a file of before there were marks.
    pub id: i64,
    /// How often it has been opened.
    pub starts: u64,
    /// Goes up with what is written; never down.
    pub writes: u64,
}

/// See the module.
pub struct Remembered {
    path: PathBuf,
    accept_older: bool,
    known: Mutex<BTreeMap<String, Mark>>,
}

impl Remembered {
    /// Reads the file at `path`, if there is one. With `accept_older` whatever stores are found are
    /// taken as the present ones, and noted.
    pub fn open(path: &Path, accept_older: bool) -> Result<Self, Error> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let known = match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| io(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(io(error)),
        };
        let known = match known {
            Err(_) if accept_older => BTreeMap::new(),
            known => known?,
        };
        Ok(Self {
            path: path.to_owned(),
            accept_older,
            known: Mutex::new(known),
        })
    }

    /// Refuses a file that has less than it had. `None`: it has nothing at all.
    pub(crate) fn check(&self, file: &Path, found: Option<Mark>) -> Result<(), Error> {
        let Some(known) = self.known().get(&name(file)).copied() else {
            return Ok(());
        };
        let how = match found {
            None => "gone or empty, though it has had data".to_owned(),
            Some(found) if found.id != known.id => "not the one that was used last".to_owned(),
            Some(found) if found.starts < known.starts => format!(
                "older than the one that was used last: opened {} times, where that was {} times",
                found.starts, known.starts
            ),
            Some(found) if found.writes < known.writes => format!(
                "older than it was: written up to {}, where it was up to {}",
                found.writes, known.writes
            ),
            Some(_) => return Ok(()),
        };
        if self.accept_older {
            tracing::warn!(file = %file.display(), "this file is {how}; it is used as requested");
            return Ok(());
        }
        Err(Error::NotTheLatest {
            path: file.to_owned(),
            how,
        })
    }

    /// Notes how a file is now, durably.
    pub(crate) fn note(&self, file: &Path, mark: Mark) -> io::Result<()> {
        let mut known = self.known();
        known.insert(name(file), mark);
        let text = serde_json::to_vec(&*known).map_err(io::Error::from)?;
        let fresh = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut opened = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        opened.write_all(&text)?;
        opened.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        let folder = self.path.parent().filter(|f| !f.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Mark>> {
        // Each change is whole before anything can panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str());
    name.to_string_lossy().into_owned()
}
