//! One environment's log: what its processes print, and the platform's own lines, in order.
//!
//! The runtime's processes write to one outlet, extensions to another; [`records`] cuts what they write.
//! Whatever is there when an invoke ends was written before the end, so both are drained before
//! `END` is put down.

mod format;
mod pace;
mod records;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use api::logs::{LogEvent, Logs, StreamName};
use environment::Stream;
use sandbox::{Outlet, Output};
use tokio::sync::watch;
use types::Clock;
use types::limits::LOG_TAIL_BYTES_MAX;

use crate::platform::{Api, Event};
use crate::telemetry::Hub;
pub(crate) use format::Format;
pub(crate) use pace::{Pace, Paces};
use records::Records;

/// Bytes read at a time: small, since it is read at every step of an invoke and mostly
/// empty.
const READ_BYTES: usize = 4 * 1024;
/// Reads of one drain: a process that never stops printing must not hold up the end of an invoke.
/// Together they take more than a pipe holds (64 KiB).
const READS_MAX: usize = 64;

/// Failures of an environment that are examined for a hint: that costs reading their first kilobytes.
const LOOKS_MAX: u8 = 16;

pub(crate) struct EnvironmentLog {
    logs: Arc<dyn Logs>,
    clock: Arc<dyn Clock>,
    stream: StreamName,
    format: Format,
    pace: Arc<Pace>,
    telemetry: Arc<Hub>,
    function: Source,
    /// Made when the first extension is started: most environments have none.
    extensions: watch::Sender<Option<Arc<Source>>>,
    /// Hints have been logged.
    /// How many failures are still examined for a hint at their cause.
    looks: AtomicU8,
    inner: Mutex<Inner>,
}

/// What processes write to, and what they wrote.
struct Source {
    outlet: Outlet,
    output: Output,
}

struct Inner {
    /// Records whose ends have not come yet: the function's, the extensions'.
    records: [Records; 2],
    /// The last of the present invoke's log, if somebody wants it.
    tail: Option<VecDeque<u8>>,
}

impl EnvironmentLog {
    pub(crate) fn new(
        logs: Arc<dyn Logs>,
        clock: Arc<dyn Clock>,
        stream: StreamName,
        (format, pace): (Format, Arc<Pace>),
        (telemetry, (outlet, output)): (Arc<Hub>, (Outlet, Output)),
    ) -> Self {
        Self {
            logs,
            clock,
            stream,
            format,
            pace,
            telemetry,
            function: Source { outlet, output },
            extensions: watch::Sender::new(None),
            looks: AtomicU8::new(LOOKS_MAX),
            inner: Mutex::new(Inner {
                records: [Records::of_frames_and_lines(), Records::of_lines()],
                tail: None,
            }),
        }
    }

    pub(crate) fn stream(&self) -> &StreamName {
        &self.stream
    }

    pub(crate) fn telemetry(&self) -> &Arc<Hub> {
        &self.telemetry
    }

    /// Where a process of the runtime prints to.
    pub(crate) fn output(&self) -> Outlet {
        self.function.outlet.clone()
    }

    /// Where an extension prints to; the first one has it made.
    pub(crate) fn extension_output(
        &self,
        make: impl FnOnce() -> Result<(Outlet, Output), sandbox::Error>,
    ) -> Result<Outlet, sandbox::Error> {
        let known = self.extensions.borrow().clone();
        let source = match known {
            Some(source) => source,
            None => {
                let (outlet, output) = make()?;
                let source = Arc::new(Source { outlet, output });
                self.extensions.send_replace(Some(Arc::clone(&source)));
                source
            }
        };
        Ok(source.outlet.clone())
    }

    /// Puts down the platform's own events.
    pub(crate) fn platform<const N: usize>(&self, events: [Event; N]) {
        let mut inner = self.lock();
        let mut kept = Vec::with_capacity(N + 1);
        self.drain_all(&mut inner, &mut kept);
        self.flush_partial(&mut inner, Stream::Function, &mut kept);
        self.flush_partial(&mut inner, Stream::Extension, &mut kept);
        let now = self.clock.now();
        for event in events {
            if matches!(event, Event::InitStart(_)) {
                inner.records(Stream::Function).begin_anew();
            }
            let line = match (self.format.json, &event) {
                (false, event) => event.line(),
                // For people, and in no format.
                (true, Event::Fault(_) | Event::Hint(_)) => event.line(),
                (true, event) if event.level() >= self.format.system => {
                    let json = event.json(Api::Telemetry, now);
                    json.map(|json| format!("{json}\n"))
                }
                (true, _) => None,
            };
            self.telemetry.event(now, &event);
            kept.extend(line.map(|line| self.event(&mut inner, line)));
        }
        self.logs.append(&self.stream, kept);
    }

    /// Whether one more failure is examined: not all of them, for a function that always fails.
    pub(crate) fn looks_at_failure(&self) -> bool {
        let one_less = |looks: u8| looks.checked_sub(1);
        let looks = self
            .looks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        looks.is_ok()
    }

    /// Puts down what may be behind a failure; once is enough.
    pub(crate) fn hint(&self, text: &'static str) {
        self.looks.store(0, Ordering::Relaxed);
        self.platform([Event::Hint(text)]);
    }

    /// Keeps the last of the log from here on.
    pub(crate) fn begin_tail(&self) {
        self.lock().tail = Some(VecDeque::new());
    }

    /// The last of the log since [`EnvironmentLog::begin_tail`].
    pub(crate) fn take_tail(&self) -> Option<Vec<u8>> {
        self.lock().tail.take().map(Vec::from)
    }

    /// Takes in what processes print, no faster than the account may, until the future is dropped.
    pub(crate) async fn pump(&self) {
        let mut made = self.extensions.subscribe();
        loop {
            let wait = self.pace.wait();
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let extensions = made.borrow_and_update().clone();
            let readable = tokio::select! {
                biased;
                readable = self.function.output.readable() => readable,
                readable = any_readable(extensions.as_deref()) => readable,
                _ = made.changed() => Ok(()),
            };
            // An error means that nothing can be read any more.
            if readable.is_err() {
                return;
            }
            let mut inner = self.lock();
            let mut events = Vec::new();
            self.drain_all(&mut inner, &mut events);
            if !events.is_empty() {
                self.logs.append(&self.stream, events);
            }
        }
    }

    fn drain_all(&self, inner: &mut Inner, events: &mut Vec<LogEvent>) {
        self.drain_into(&self.function, Stream::Function, inner, events);
        if let Some(extensions) = self.extensions.borrow().as_deref() {
            self.drain_into(extensions, Stream::Extension, inner, events);
        }
    }

    fn drain_into(
        &self,
        source: &Source,
        stream: Stream,
        inner: &mut Inner,
        events: &mut Vec<LogEvent>,
    ) {
        let mut buffer = [0; READ_BYTES];
        let mut read = 0;
        for _ in 0..READS_MAX {
            match source.output.try_read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    read += count;
                    self.take(inner, stream, &buffer[..count], events);
                }
            }
        }
        self.pace.took(read);
    }

    /// Cuts what was read into records.
    fn take(&self, inner: &mut Inner, stream: Stream, bytes: &[u8], events: &mut Vec<LogEvent>) {
        let mut complete = Vec::new();
        inner
            .records(stream)
            .take(bytes, &mut |record| complete.push(record));
        for record in complete {
            self.record(inner, stream, &record, events);
        }
    }

    fn flush_partial(&self, inner: &mut Inner, stream: Stream, events: &mut Vec<LogEvent>) {
        if let Some(record) = inner.records(stream).flush() {
            self.record(inner, stream, &record, events);
        }
    }

    /// Tells a record to whom it concerns, unless the function does not want to see it.
    fn record(&self, inner: &mut Inner, stream: Stream, record: &[u8], events: &mut Vec<LogEvent>) {
        // Almost all of it is text, which is quickly known.
        let text = match std::str::from_utf8(record) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(record),
        };
        if !self.format.keeps(&text) {
            return;
        }
        let now = self.clock.now();
        for piece in records::pieces(&text) {
            self.telemetry.line(now, stream, piece, self.format.json);
            events.push(self.event(inner, piece.to_owned()));
        }
    }

    fn event(&self, inner: &mut Inner, message: String) -> LogEvent {
        if let Some(tail) = &mut inner.tail {
            tail.extend(message.as_bytes());
            let mut excess = tail.len().saturating_sub(LOG_TAIL_BYTES_MAX);
            // It begins with a whole character.
            while excess > 0 && tail.get(excess).is_some_and(|byte| byte & 0xc0 == 0x80) {
                excess += 1;
            }
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

impl Inner {
    fn records(&mut self, stream: Stream) -> &mut Records {
        match stream {
            Stream::Extension => &mut self.records[1],
            Stream::Platform | Stream::Function => &mut self.records[0],
        }
    }
}

/// Waits for an outlet that may not be there.
async fn any_readable(source: Option<&Source>) -> io::Result<()> {
    match source {
        Some(source) => source.output.readable().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
