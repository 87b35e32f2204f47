//! What processes print, over any transport.
//!
//! A reader does two things: it waits until something is available, and it reads what is available at
//! this moment without waiting. So everything that was printed before an invoke ended is read before
//! its end is recorded. A pipe can do both without a task and without a copy in between, so it is a
//! case of its own.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::unix::pipe;

use crate::error::Error;

/// Where a process prints to. What several processes print to one arrives in the order in which they
/// wrote it.
#[derive(Clone, Debug)]
pub enum Outlet {
    /// The write end of a pipe.
    Pipe(Arc<OwnedFd>),
    /// The number by which the sandbox that created it knows it.
    Numbered(u64),
}

/// What is printed to an [`Outlet`].
pub enum Output {
    /// The read end of a pipe.
    Pipe(pipe::Receiver),
    /// Anything else.
    Other(Box<dyn Printed>),
}

/// What was printed and not read yet.
pub trait Printed: Send + Sync {
    /// Reads what is there; [`io::ErrorKind::WouldBlock`] if there is nothing now, 0 if nothing more comes.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Ready when there may be something to read.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Output {
    /// Reads what is there; [`io::ErrorKind::WouldBlock`] if there is nothing now, 0 if nothing more comes.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(reader) => reader.try_read(buffer),
            Self::Other(printed) => printed.try_read(buffer),
        }
    }

    /// Returns when there may be something to read.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Pipe(reader) => reader.readable().await,
            Self::Other(printed) => poll_fn(|context| printed.poll_readable(context)).await,
        }
    }
}

/// A pipe. Must be called within a runtime.
pub(crate) fn pipe() -> Result<(Outlet, Output), Error> {
    let make = || {
        let (reader, writer) = io::pipe()?;
        let reader = pipe::Receiver::from_owned_fd(reader.into())?;
        Ok((Outlet::Pipe(Arc::new(writer.into())), Output::Pipe(reader)))
    };
    make().map_err(Error::step("make a process's output"))
}
