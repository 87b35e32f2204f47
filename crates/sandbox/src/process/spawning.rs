//! The owner's end of a spawner that lives.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::channel::{self, Channel, Received};
use crate::error::Error;
use crate::init::lost;
use crate::message::{Build, Create, Message, Spawned};
use crate::spawner;
use crate::sys::{files, processes};

/// How long a spawner may take to answer. It takes a millisecond, and seconds on a machine that is very
/// busy; one that takes longer is blocked by the kernel, and is not waited for. It lives on, with its
/// sandboxes.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// One spawner, as the holder of its lock uses it. Dropping it ends the spawner.
pub(super) struct SpawnerHandle {
    channel: Channel,
    requests: u32,
}

/// The same spawner as a process, for the thread that started it.
pub(super) struct SpawnerProcess {
    child: Child,
    handle: OwnedFd,
}

/// Starts a spawner and waits until its root is ready. It ends with the calling thread.
pub(super) fn start(build: &Build, label: &str) -> Result<(SpawnerHandle, SpawnerProcess), Error> {
    let (ours, theirs) = channel::pair().map_err(Error::step("make a spawner's socket"))?;
    let child = spawner::start(theirs, label)?;
    let handle = processes::handle_of_child(child.id());
    let process = SpawnerProcess {
        child,
        handle: handle.map_err(Error::step("hold a spawner"))?,
    };
    let mut channel = Channel::new(ours);
    let built = tell(&mut channel, build);
    if let Err(error) = built {
        // Closing its socket has ended it, if it had not ended already.
        drop(channel);
        process.wait();
        return Err(error);
    }
    let requests = 0;
    Ok((SpawnerHandle { channel, requests }, process))
}

fn tell(channel: &mut Channel, build: &Build) -> Result<(), Error> {
    ask(channel, build, &[], 0).map(|_| ())
}

/// Sends a request, and returns what came with the answer. [`Error::Gone`] if the spawner has ended.
fn ask(
    channel: &mut Channel,
    question: &impl Message,
    fds: &[BorrowedFd<'_>],
    request: u32,
) -> Result<Vec<OwnedFd>, Error> {
    let sent = channel.send(question, fds);
    sent.map_err(gone_or("ask a spawner"))?;
    let deadline = Instant::now() + ANSWER_WITHIN;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let received = channel.receive_within::<Spawned>(left);
        match received.map_err(gone_or("hear from a spawner"))? {
            // For a caller that stopped waiting; without its owner's socket that sandbox ends by
            // itself.
            Received::Message(answer, _) | Received::Cut(answer) if answer.is_before(request) => {}
            Received::Message(Spawned::Created { request: told }, fds) if told == request => {
                return Ok(fds);
            }
            Received::Message(
                Spawned::Failed {
                    request: told,
                    step,
                    errno,
                },
                _,
            ) if told == request => {
                let source = io::Error::from_raw_os_error(errno);
                return Err(Error::Step { step, source });
            }
            Received::Cut(_) => return Err(lost("take a sandbox's handle")),
            Received::Message(..) => return Err(Error::Protocol),
            Received::Closed => return Err(Error::Gone),
        }
    }
}

/// For `map_err`: that the other end of the socket has ended, or else the step that failed.
pub(super) fn gone_or(step: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |error| match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Error::Gone,
        _ => Error::step(step)(error),
    }
}

impl SpawnerHandle {
    /// Has a sandbox's init forked; returns its handle.
    pub(super) fn create(&mut self, uid: u32, fds: &[BorrowedFd<'_>]) -> Result<OwnedFd, Error> {
        self.requests = self.requests.wrapping_add(1);
        let request = self.requests;
        let came = ask(&mut self.channel, &Create { request, uid }, fds, request)?;
        came.into_iter().next().ok_or(Error::Protocol)
    }
}

impl SpawnerProcess {
    /// For killing it.
    pub(super) fn handle(&self) -> Result<OwnedFd, Error> {
        let copy = self.handle.try_clone();
        copy.map_err(Error::step("copy a process's handle"))
    }

    /// Waits until it has ended, and says how, in words for the log.
    pub(super) fn wait(mut self) -> String {
        // Then its number is not free for another until it is reaped below, by nobody else.
        let _ = files::wait_readable(&[self.handle.as_raw_fd()], &mut Vec::new());
        match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}
