//! The owner's end of a spawner.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::channel::{Channel, Received};
use crate::error::Error;
use crate::message::{Create, Spawned};

/// One spawner, as the one thread that asks it holds it.
pub(super) struct SpawnerHandle {
    channel: Channel,
    requests: u32,
}

impl SpawnerHandle {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            channel: Channel::new(socket),
            requests: 0,
        }
    }

    /// Has a sandbox's init forked; gives its handle.
    pub(super) fn create(&mut self, uid: u32, fds: &[BorrowedFd<'_>]) -> Result<OwnedFd, Error> {
        self.requests = self.requests.wrapping_add(1);
        let request = self.requests;
        let sent = self.channel.send(&Create { request, uid }, fds);
        sent.map_err(Error::step("ask a spawner"))?;
        let received = self.channel.receive::<Spawned>();
        match received.map_err(Error::step("hear from a spawner"))? {
            Received::Message(Spawned::Created { request: told }, fds) if told == request => {
                fds.into_iter().next().ok_or(Error::Protocol)
            }
            Received::Message(
                Spawned::Failed {
                    request: told,
                    step,
                    errno,
                },
                _,
            ) if told == request => Err(Error::Step {
                step,
                source: io::Error::from_raw_os_error(errno),
            }),
            Received::Message(..) => Err(Error::Protocol),
            Received::Closed => Err(Error::Gone),
        }
    }
}
