//! Connections that come: each has proved, before the first call on it, who its other end is.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use accepting::Accepting;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::identity::Identity;
use crate::roles::Peer;

/// Who connects proves within this who it is.
const PROVED_WITHIN: Duration = Duration::from_secs(5);
/// How many do so at a time; more wait.
const PROVING_MAX: usize = 1_000;

/// A connection whose other end has proved who it is.
pub(crate) struct Accepted {
    io: TlsStream<TcpStream>,
    peer: Arc<Peer>,
}

/// The connections to a listener.
pub(crate) fn connections(
    listener: TcpListener,
    identity: Identity,
) -> impl Stream<Item = Result<Accepted, Infallible>> {
    let accepting = Accepting::tcp(listener, "a connection of a process");
    let proving = JoinSet::new();
    unfold(
        (accepting, proving, identity),
        async |(mut accepting, mut proving, identity)| {
            loop {
                tokio::select! {
                    Some(proved) = proving.join_next() => {
                        if let Ok(Some(accepted)) = proved {
                            return Some((Ok(accepted), (accepting, proving, identity)));
                        }
                    }
                    connection = accepting.next(), if proving.len() < PROVING_MAX => {
                        let (connection, _) = connection?;
                        proving.spawn(prove(connection, identity.clone()));
                    }
                }
            }
        },
    )
}

/// A connection, once its other end has proved who it is. Nothing if it has not.
async fn prove(plain: TcpStream, identity: Identity) -> Option<Accepted> {
    let proved = async {
        plain.set_nodelay(true)?;
        let tls = TlsAcceptor::from(Arc::clone(&identity.newest().server));
        tls.accept(plain).await
    };
    let proved = timeout(PROVED_WITHIN, proved).await;
    match proved.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(io) => {
            let (_, session) = io.get_ref();
            let certificate = session.peer_certificates()?.first()?;
            let peer = Arc::new(Peer::of(certificate));
            Some(Accepted { io, peer })
        }
        Err(error) => {
            tracing::debug!(%error, "a connection was refused");
            None
        }
    }
}

impl Connected for Accepted {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, into)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
