//! Network namespaces: each with its own loopback and, on it, the Runtime API's listening socket.
//!
//! A namespace has no name anywhere, it is a descriptor: when the last holder ends it is gone, even
//! when that was by SIGKILL. The owner accepts from outside what is connected inside, so no
//! interface pair and no address is needed for the Runtime API. None is ever used twice: its sockets
//! and counters would tell of the sandbox before.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};

use crate::sys::namespaces;

/// Where Lambda's Runtime API is, inside. Runtimes get it from their environment, so it need not be
/// this port; extensions in the wild have it written in.
const RUNTIME_API_PORT: u16 = 9001;

/// A network namespace, ready.
pub(crate) struct Network {
    pub(crate) namespace: OwnedFd,
    pub(crate) listener: TcpListener,
}

/// Makes namespaces. Belongs to one thread, which goes in and out of them.
pub(crate) struct Maker {
    home: File,
}

impl Maker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            home: File::open("/proc/thread-self/ns/net")?,
        })
    }

    /// Makes one. This thread is back home afterwards, else it would keep the namespace alive.
    pub(crate) fn make(&self) -> io::Result<Network> {
        namespaces::unshare_network()?;
        let made = furnish();
        namespaces::enter_network(self.home.as_fd())?;
        made
    }
}

fn furnish() -> io::Result<Network> {
    namespaces::loopback_up()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, RUNTIME_API_PORT))?;
    listener.set_nonblocking(true)?;
    let namespace = File::open("/proc/thread-self/ns/net")?.into();
    Ok(Network {
        namespace,
        listener,
    })
}
