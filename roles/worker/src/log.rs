//! One environment's log: what its processes print, and the platform's own lines, in order.
//!
//! All processes write into one pipe. Whatever is in the pipe when an invoke ends was written
//! before the end, so the pipe is drained before `END` is put down.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard};

use api::logs::{LogEvent, Logs, StreamName};
use tokio::net::unix::pipe;
use types::Clock;
use types::limits::LOG_TAIL_BYTES_MAX;

/// A line is cut after so many bytes (CloudWatch's limit of an event is 256 KB).
const LINE_BYTES_MAX: usize = 256 * 1024 - 26;
/// Bytes read from the pipe at a time: small, since it is read at every step of an invoke and mostly
/// empty.
const READ_BYTES: usize = 4 * 1024;
/// Reads of one drain: a process that never stops printing must not hold up the end of an invoke.
/// Together they take more than a pipe holds (64 KiB).
const READS_MAX: usize = 64;

pub(crate) struct EnvironmentLog {
    logs: Arc<dyn Logs>,
    clock: Arc<dyn Clock>,
    stream: StreamName,
    reader: pipe::Receiver,
    writer: OwnedFd,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// The last of the present invoke's log, if somebody wants it.
    tail: Option<VecDeque<u8>>,
}

impl EnvironmentLog {
    pub(crate) fn new(
        logs: Arc<dyn Logs>,
        clock: Arc<dyn Clock>,
        stream: StreamName,
    ) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let reader = pipe::Receiver::from_owned_fd(reader.into())?;
        let inner = Mutex::new(Inner::default());
        Ok(Self {
            logs,
            clock,
            stream,
            reader,
            writer: writer.into(),
            inner,
        })
    }

    pub(crate) fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// A write end for one more process.
    pub(crate) fn output(&self) -> io::Result<OwnedFd> {
        self.writer.try_clone()
    }

    /// Puts down the platform's own lines.
    pub(crate) fn platform<const N: usize>(&self, lines: [String; N]) {
        let mut inner = self.lock();
        let mut events = Vec::with_capacity(N + 1);
        self.drain_into(&mut inner, &mut events);
        self.flush_partial(&mut inner, &mut events);
        events.extend(lines.map(|line| self.event(&mut inner, line)));
        self.logs.append(&self.stream, events);
    }

    /// Keeps the last of the log from here on.
    pub(crate) fn begin_tail(&self) {
        self.lock().tail = Some(VecDeque::new());
    }

    /// The last of the log since [`EnvironmentLog::begin_tail`].
    pub(crate) fn take_tail(&self) -> Option<Vec<u8>> {
        self.lock().tail.take().map(Vec::from)
    }

    /// Takes in what processes print, until the future is dropped.
    pub(crate) async fn pump(&self) {
        // An error means that the descriptor is no pipe any more, which cannot be.
        while self.reader.readable().await.is_ok() {
            let mut inner = self.lock();
            let mut events = Vec::new();
            self.drain_into(&mut inner, &mut events);
            if !events.is_empty() {
                self.logs.append(&self.stream, events);
            }
        }
    }

    fn drain_into(&self, inner: &mut Inner, events: &mut Vec<LogEvent>) {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            match self.reader.try_read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => self.take(inner, &buffer[..count], events),
            }
        }
    }

    /// Splits what was read into lines.
    fn take(&self, inner: &mut Inner, bytes: &[u8], events: &mut Vec<LogEvent>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            inner.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || inner.partial.len() >= LINE_BYTES_MAX {
                self.flush_partial(inner, events);
            }
        }
    }

    fn flush_partial(&self, inner: &mut Inner, events: &mut Vec<LogEvent>) {
        if inner.partial.is_empty() {
            return;
        }
        let line = std::mem::take(&mut inner.partial);
        let line = String::from_utf8_lossy(&line).into_owned();
        events.push(self.event(inner, line));
    }

    fn event(&self, inner: &mut Inner, message: String) -> LogEvent {
        if let Some(tail) = &mut inner.tail {
            tail.extend(message.as_bytes());
            let excess = tail.len().saturating_sub(LOG_TAIL_BYTES_MAX);
            tail.drain(..excess);
        }
        LogEvent {
            time: self.clock.now(),
            message,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no code panics while it holds a log")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use types::{AccountId, ManualClock, Region, Scope, Timestamp};

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl Logs for Kept {
        fn append(&self, _: &StreamName, events: Vec<LogEvent>) {
            self.0
                .lock()
                .unwrap()
                .extend(events.into_iter().map(|event| event.message));
        }
    }

    fn log() -> (Arc<Kept>, EnvironmentLog, std::fs::File) {
        let kept = Arc::new(Kept::default());
        let scope = Scope {
            account: AccountId::new("000000000000").unwrap(),
            region: Region::new("us-east-1").unwrap(),
        };
        let stream = StreamName {
            scope,
            group: "g".into(),
            stream: "s".into(),
        };
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1)));
        let log = EnvironmentLog::new(Arc::clone(&kept) as Arc<dyn Logs>, clock, stream).unwrap();
        let output = log.output().unwrap().into();
        (kept, log, output)
    }

    #[tokio::test]
    async fn what_was_printed_before_stands_before_the_platforms_line() {
        let (kept, log, mut output) = log();
        output.write_all(b"one\ntwo\nthree").unwrap();
        // The reactor must have seen the pipe once before reads are tried.
        log.reader.readable().await.unwrap();
        log.platform(["END\n".to_owned()]);
        assert_eq!(
            *kept.0.lock().unwrap(),
            ["one\n", "two\n", "three", "END\n"]
        );
    }

    #[tokio::test]
    async fn the_tail_is_the_last_four_kilobytes_since_it_began() {
        let (_kept, log, _output) = log();
        log.platform(["before\n".to_owned()]);
        log.begin_tail();
        log.platform(["x".repeat(5_000), "REPORT\n".to_owned()]);
        let tail = String::from_utf8(log.take_tail().unwrap()).unwrap();
        assert_eq!(tail.len(), LOG_TAIL_BYTES_MAX);
        assert!(tail.ends_with("xREPORT\n") && !tail.contains("before"));
        assert!(log.take_tail().is_none());
    }
}
