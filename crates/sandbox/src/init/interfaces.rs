//! Giving functions the routing socket, from which they learn their interfaces and addresses.
//!
//! ```text
//!   function: socket(AF_NETLINK) ──waits──▶ init: how many are there? ──▶ one more, or ENOBUFS
//! ```
//!
//! The kernel charges to nobody what waits to be read from such a socket, up to 200 KB each. No limit
//! of the kernel bounds how many a user has, and the filter of system calls cannot. So init makes them,
//! as many as are useful. Resolvers of names make one for each query, and do without if they get none.
//! without if they get none.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use crate::sys::notifications::{self, Call, Pending};
use crate::sys::sockets;

/// The most that a sandbox has at once.
const SOCKETS_MAX: u64 = 16;
/// Init's own time is not the function's: no more calls than this are answered in each [`TURN`].
const CALLS_MAX: u32 = 16;
const TURN: Duration = Duration::from_millis(16);

/// The listeners, and the sockets that have been given out.
pub(super) struct Interfaces {
    /// One for each process that was started; its children's calls arrive there, too.
    listeners: Vec<OwnedFd>,
    /// At least the real number.
    sockets: u64,
    turn: Instant,
    calls: u32,
}

impl Interfaces {
    pub(super) fn new() -> Self {
        Self {
            listeners: Vec::new(),
            sockets: 0,
            turn: Instant::now(),
            calls: 0,
        }
    }

    /// Receives the calls of one more process.
    pub(super) fn listen(&mut self, listener: OwnedFd) {
        self.listeners.push(listener);
    }

    /// What becomes readable when there is something to [`Interfaces::answer`].
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.listeners.iter().map(|listener| listener.as_raw_fd())
    }

    /// Answers the waiting calls, one for each process.
    pub(super) fn answer(&mut self) -> io::Result<()> {
        let mut index = 0;
        while let Some(listener) = self.listeners.get(index) {
            match notifications::pending(listener.as_fd())? {
                Pending::Over => drop(self.listeners.swap_remove(index)),
                Pending::Nothing => index += 1,
                Pending::Call => {
                    let listener = listener.as_fd().try_clone_to_owned()?;
                    self.answer_one(listener.as_fd())?;
                    index += 1;
                }
            }
        }
        Ok(())
    }

    fn answer_one(&mut self, listener: BorrowedFd<'_>) -> io::Result<()> {
        self.wait_for_turn();
        let Some(call) = notifications::receive(listener)? else {
            return Ok(());
        };
        match self.make(&call) {
            Ok((socket, close_on_exec)) => {
                let given = notifications::give(listener, &call, socket.as_fd(), close_on_exec);
                given.or_else(|error| refuse(listener, &call, &error))
            }
            Err(error) => refuse(listener, &call, &error),
        }
    }

    /// Makes the requested socket, and says whether it is to be closed by exec.
    fn make(&mut self, call: &Call) -> io::Result<(OwnedFd, bool)> {
        if self.sockets >= SOCKETS_MAX {
            self.sockets = count(&fs::read_to_string("/proc/self/net/protocols")?)?;
        }
        if self.sockets >= SOCKETS_MAX {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        // The kernel, too, reads only the low half.
        let kind = call.arguments[1] as libc::c_int;
        let socket = sockets::routing_of_kind(kind)?;
        self.sockets += 1;
        Ok((socket, kind & libc::SOCK_CLOEXEC != 0))
    }

    fn wait_for_turn(&mut self) {
        self.calls += 1;
        if self.calls > CALLS_MAX {
            // If it is woken early, it only answers sooner.
            std::thread::park_timeout(TURN.saturating_sub(self.turn.elapsed()));
        }
        if self.turn.elapsed() >= TURN {
            (self.turn, self.calls) = (Instant::now(), 1);
        }
    }
}

fn refuse(listener: BorrowedFd<'_>, call: &Call, error: &io::Error) -> io::Result<()> {
    notifications::refuse(listener, call, error.raw_os_error().unwrap_or(libc::EIO))
}

/// How many there are in a network, by the text of its `protocols`: name, size, sockets, ...
fn count(protocols: &str) -> io::Result<u64> {
    let line = protocols
        .lines()
        .find_map(|line| line.strip_prefix("NETLINK "));
    let count = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    count.ok_or_else(|| {
        io::Error::other("the kernel does not tell how many netlink sockets there are")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netlink_sockets_are_counted() {
        let text = "protocol  size sockets  memory press\nUNIX      1152     21      -1   NI\n\
                    NETLINK   1096      3      -1   NI       0   no   kernel\n";
        assert_eq!(count(text).unwrap(), 3);
        assert!(count("protocol  size sockets\n").is_err());
    }
}
