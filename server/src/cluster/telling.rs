//! What a copy says while it runs, and at its end.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use backup::{Counts, Progress};

use crate::terminal::{complain, say};

/// Between two lines about the progress.
const EVERY: Duration = Duration::from_secs(2);

/// Tells somebody at a terminal how far it has come.
pub(super) fn progress() -> impl Fn(Progress) + Sync {
    let last = Mutex::new(Instant::now());
    let shown = std::io::stderr().is_terminal();
    move |progress| {
        let Ok(mut last) = last.lock() else {
            return;
        };
        if !shown || last.elapsed() < EVERY {
            return;
        }
        *last = Instant::now();
        match progress {
            Progress::Messages(count) => complain!("events: {count}"),
            Progress::Rows(count) => complain!("rows: {count}"),
            Progress::Blobs(count, all) => complain!("packages: {count} of {all}"),
        }
    }
}

/// One table of everything.
pub(super) fn table(counts: &Counts) {
    let packages = [("packages".to_owned(), counts.blobs)];
    let lines = counts
        .rows
        .clone()
        .into_iter()
        .chain(counts.messages.clone())
        .chain(packages);
    for (kind, count) in lines.filter(|(_, count)| *count > 0) {
        say!("{count:>9}  {kind}");
    }
}
