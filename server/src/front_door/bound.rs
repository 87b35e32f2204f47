//! The addresses at which requests are taken: bound early, so that a mistake is reported at once, and open
//! only when requests can be answered.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};

/// Binds an address, before any other work is done.
pub(crate) async fn bind(address: &str) -> anyhow::Result<Bound> {
    let bind = async || {
        let mut refused = None;
        for address in tokio::net::lookup_host(address).await? {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            // A former run's connections may still be lingering.
            socket.set_reuseaddr(true)?;
            match socket.bind(address) {
                Ok(()) => {
                    let address = socket.local_addr()?;
                    return Ok(Bound { socket, address });
                }
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into()))
    };
    bind()
        .await
        .with_context(|| format!("{address} cannot be listened on"))
}

/// A bound address at which no connections are accepted yet.
pub(crate) struct Bound {
    socket: TcpSocket,
    address: SocketAddr,
}

/// Connections that wait to be taken.
const BACKLOG: u32 = 1_024;

impl Bound {
    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets connections in.
    pub(crate) fn listen(self) -> anyhow::Result<(TcpListener, SocketAddr)> {
        let Self { socket, address } = self;
        let listener = socket.listen(BACKLOG);
        let listener = listener.with_context(|| format!("{address} cannot be listened on"))?;
        Ok((listener, address))
    }
}
