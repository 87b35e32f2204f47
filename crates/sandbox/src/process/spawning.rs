//! The owner's end of a spawner.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::channel::{AsyncChannel, Received};
use crate::error::Error;
use crate::message::{Create, Spawned};
use crate::spawner::Spawner;
use crate::sys::processes;

/// One spawner. It does one thing after another, so requests take turns here.
pub(super) struct SpawnerHandle {
    images: PathBuf,
    runtimes: PathBuf,
    next: AtomicU32,
    channel: tokio::sync::Mutex<AsyncChannel>,
}

impl SpawnerHandle {
    pub(super) fn new(spawner: Spawner) -> Result<Self, Error> {
        let channel =
            AsyncChannel::new(spawner.socket).map_err(Error::step("listen to a spawner"))?;
        Ok(Self {
            images: spawner.images,
            runtimes: spawner.runtimes,
            next: AtomicU32::new(1),
            channel: tokio::sync::Mutex::new(channel),
        })
    }

    pub(super) fn images(&self) -> &Path {
        &self.images
    }

    pub(super) fn runtimes(&self) -> &Path {
        &self.runtimes
    }

    pub(super) fn next_request(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Has a sandbox's init forked; gives its handle.
    pub(super) async fn create(
        &self,
        create: &Create,
        fds: &[BorrowedFd<'_>],
    ) -> Result<OwnedFd, Error> {
        let channel = self.channel.lock().await;
        channel
            .send(create, fds)
            .await
            .map_err(Error::step("ask a spawner"))?;
        loop {
            let received = channel.receive::<Spawned>().await;
            let (answer, fds) = match received.map_err(Error::step("hear from a spawner"))? {
                Received::Message(answer, fds) => (answer, fds),
                Received::Closed => return Err(Error::Gone),
            };
            let handle = fds.into_iter().next();
            match answer {
                Spawned::Created { request } if request == create.request => {
                    return handle.ok_or(Error::Protocol);
                }
                Spawned::Failed {
                    request,
                    step,
                    errno,
                } if request == create.request => {
                    let source = std::io::Error::from_raw_os_error(errno);
                    return Err(Error::Step { step, source });
                }
                // The answer to somebody who gave up between asking and hearing.
                Spawned::Created { .. } | Spawned::Failed { .. } => {
                    if let Some(handle) = handle {
                        // If it cannot be killed its control socket is closed, which ends it too.
                        let _ = processes::signal_handle(handle.as_fd(), libc::SIGKILL);
                    }
                }
            }
        }
    }
}
