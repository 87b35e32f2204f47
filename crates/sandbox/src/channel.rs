//! One end of a socket between the owner, a spawner and an init: whole messages, with descriptors.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use tokio::io::unix::AsyncFd;

use crate::message::{MESSAGE_BYTES_MAX, Message};
use crate::sys::{files, reactor, sockets};

/// What a receiver got.
pub(crate) enum Received<M> {
    /// A message and the descriptors that came with it.
    Message(M, Vec<OwnedFd>),
    /// A message whose descriptors are lost: this process can have no more.
    Cut(M),
    /// The other end is closed.
    Closed,
}

/// An end that waits by blocking; for the small processes, which have nothing else to do.
pub(crate) struct Channel {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// Two connected ends.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    sockets::pair()
}

impl Channel {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self::with_buffer(socket, vec![0; MESSAGE_BYTES_MAX])
    }

    /// With a buffer that was allocated before; a longer message is refused.
    pub(crate) fn with_buffer(socket: OwnedFd, buffer: Vec<u8>) -> Self {
        Self { socket, buffer }
    }

    pub(crate) fn send(&self, message: &impl Message, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        sockets::send(self.socket.as_fd(), &message.encode(), fds, true)
    }

    pub(crate) fn receive<M: Message>(&mut self) -> io::Result<Received<M>> {
        let got = sockets::receive(self.socket.as_fd(), &mut self.buffer, true)?;
        decode(&self.buffer[..got.length], got.fds)
    }

    /// As [`Channel::receive`], and an error when nothing comes in time.
    pub(crate) fn receive_within<M: Message>(
        &mut self,
        limit: Duration,
    ) -> io::Result<Received<M>> {
        if !files::is_readable_within(self.socket.as_fd(), limit)? {
            return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
        }
        self.receive()
    }
}

impl Channel {
    /// The end itself, for a reader that continues without a buffer.
    pub(crate) fn into_socket(self) -> OwnedFd {
        self.socket
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// An end for the owner's runtime.
pub(crate) struct AsyncChannel(AsyncFd<OwnedFd>);

impl AsyncChannel {
    /// Must be called within a runtime.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        let interest = tokio::io::Interest::READABLE | tokio::io::Interest::WRITABLE;
        reactor::watch(socket, interest).map(Self)
    }

    /// Sends a message, whole or not at all.
    pub(crate) async fn send(
        &self,
        message: &impl Message,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let bytes = message.encode();
        let attempt = || sockets::send(self.0.as_fd(), &bytes, fds, false);
        // There is room nearly always: then the reactor is not needed.
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        self.0
            .async_io(tokio::io::Interest::WRITABLE, |_| attempt())
            .await
    }

    /// Receives a message. If the caller stops waiting, none is lost.
    pub(crate) async fn receive<M: Message>(&self) -> io::Result<Received<M>> {
        let mut buffer = [0; 1024];
        let got = self
            .0
            .async_io(tokio::io::Interest::READABLE, |socket| {
                sockets::receive(socket.as_fd(), &mut buffer, false)
            })
            .await?;
        decode(&buffer[..got.length], got.fds)
    }
}

fn decode<M: Message>(bytes: &[u8], fds: Option<Vec<OwnedFd>>) -> io::Result<Received<M>> {
    if bytes.is_empty() {
        return Ok(Received::Closed);
    }
    match M::decode(bytes) {
        Some(message) => Ok(match fds {
            Some(fds) => Received::Message(message, fds),
            None => Received::Cut(message),
        }),
        None => Err(io::Error::other(
            "a malformed message between sandbox processes",
        )),
    }
}
