//! Connections between a sandbox's loopback and this process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::oneshot;

use super::locked;
use crate::connection::{Connection, Listener};
use crate::error::Error;
use crate::sys::namespaces;

/// How long a connection into a sandbox may take: everything is on the loopback.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Takes a listening socket that has not been taken.
pub(super) fn take(listener: &Mutex<Option<TcpListener>>) -> Result<Option<Listener>, Error> {
    let listener = locked(listener).take();
    let listener = listener.map(tokio::net::TcpListener::from_std).transpose();
    let listener = listener.map_err(Error::step("watch a listening socket"))?;
    Ok(listener.map(Listener::Tcp))
}

/// Connects to a port inside of the sandbox of that init.
pub(super) async fn connect(init: BorrowedFd<'_>, port: u16) -> Result<Connection, Error> {
    let init = init.try_clone_to_owned();
    let init = init.map_err(Error::step("copy a process's handle"))?;
    let (done, connected) = oneshot::channel();
    // A thread of its own, which ends in the namespace it entered.
    let thread = std::thread::Builder::new().name("sandbox-connect".to_owned());
    let spawned = thread.spawn(move || {
        let _ = done.send(connect_inside(init.as_fd(), port));
    });
    spawned.map_err(Error::step("start a thread"))?;
    let connected = connected.await.map_err(|_| Error::Gone)?;
    let connected = connected.and_then(tokio::net::TcpStream::from_std);
    let connected = connected.map_err(Error::step("connect to a port inside"))?;
    Ok(Connection::Tcp(connected))
}

/// Connects from within the network of a sandbox's init. This thread is there afterwards.
fn connect_inside(init: BorrowedFd<'_>, port: u16) -> io::Result<TcpStream> {
    namespaces::enter_network(init)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, CONNECT_WITHIN)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
