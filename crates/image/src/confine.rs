//! Where packages are unpacked and merged: in a process that sees nothing else and may do nothing else.
//!
//! This crate says what is to be done ([`Task`]) and does it ([`work`]); the program that uses it knows how to
//! make such a process, and says so as a [`Confine`].

use std::fs::File;
use std::io::{self, BufReader};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use beneath::Folder;
use types::limits::UNZIPPED_BYTES_MAX;

use crate::error::Error;
use crate::leave::Leave;
use crate::{layers, report, unpack};

/// How long unpacking or merging may take.
pub(crate) const WITHIN: Duration = Duration::from_secs(90);

/// Runs tasks where they can do no harm.
pub trait Confine: Send + Sync {
    /// The user of this machine whose folders tasks work in. `None` where it is this process's own.
    fn user(&self) -> Option<u32>;

    /// Has [`work`] run on a task; returns its report. Blocks. When it returns, nothing of the task is
    /// still running. `TimedOut` if it was ended for taking too long.
    fn run(&self, task: Task<'_>) -> io::Result<Vec<u8>>;
}

/// One task for [`work`].
pub struct Task<'a> {
    /// What is to be done.
    pub words: Vec<String>,
    /// The folder that is all the process may see.
    pub root: BorrowedFd<'a>,
    /// What it reads.
    pub input: OwnedFd,
    /// How long it may take.
    pub within: Duration,
    /// Bytes of a file it may write.
    pub file_bytes_max: u64,
    /// Bytes of the report that are of use.
    pub report_bytes_max: usize,
}

impl<'a> Task<'a> {
    fn new(words: Vec<String>, root: BorrowedFd<'a>, input: OwnedFd) -> Self {
        Self {
            words,
            root,
            input,
            within: WITHIN,
            file_bytes_max: UNZIPPED_BYTES_MAX,
            report_bytes_max: report::REPORT_BYTES_MAX,
        }
    }

    /// To unpack `zip` into the folder.
    pub(crate) fn unpack(root: BorrowedFd<'a>, zip: OwnedFd, leave: Leave) -> Self {
        Self::new(vec!["unpack".to_owned(), leave.to_string()], root, zip)
    }

    /// To merge these folders of the folder, in their order, into another that is empty.
    pub(crate) fn merge(
        root: BorrowedFd<'a>,
        layers: &[&str],
        into: &str,
        nothing: OwnedFd,
        leave: Leave,
    ) -> Self {
        let leave = leave.to_string();
        let words = ["merge", &leave, into].into_iter();
        let words = words.chain(layers.iter().copied());
        Self::new(words.map(str::to_owned).collect(), root, nothing)
    }
}

/// Does a task, in the process that was made for it.
pub fn work(words: &[String], root: OwnedFd, input: OwnedFd) -> Vec<u8> {
    report::encode(&try_work(words, root, input))
}

fn try_work(words: &[String], root: OwnedFd, input: OwnedFd) -> Result<(), Error> {
    let root = Folder::of(root)?;
    match words {
        [what, leave] if what == "unpack" => {
            let zip = BufReader::new(File::from(input));
            unpack::unpack(zip, &root, Leave::read(leave)?)
        }
        [what, leave, into, layers @ ..] if what == "merge" => {
            let open = |name: &String| root.folder(Path::new(name));
            let layers = layers.iter().map(open).collect::<io::Result<Vec<_>>>()?;
            Ok(layers::merge(&layers, &open(into)?, Leave::read(leave)?)?)
        }
        _ => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
    }
}

/// Runs tasks in this very process. For tests, which are not root: it confines nothing.
pub struct Unconfined;

impl Confine for Unconfined {
    fn user(&self) -> Option<u32> {
        None
    }

    fn run(&self, task: Task<'_>) -> io::Result<Vec<u8>> {
        let root = task.root.try_clone_to_owned()?;
        Ok(work(&task.words, root, task.input))
    }
}
