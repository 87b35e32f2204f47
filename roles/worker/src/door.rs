//! Access from inside an environment to Lambent's own API, if the operator allows it.
//!
//! ```text
//!   function ─▶ a port of its loopback ══ accepted here ══▶ the API's own address
//! ```
//!
//! Bytes are handed on as they come, both ways. The function's requests get the same checks
//! as anyone else's who reaches the API; the sandbox's network stays as it is, so that it
//! reaches nothing else of the machine. What it can take of ours is bounded: beyond the numbers
//! below its connections wait in the kernel's queue.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use accepting::Accepting;
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of one environment at a time. An SDK keeps ten to fifty, and asks one after the
/// other.
const CONNECTIONS_MAX: usize = 16;
/// Connections of all environments of the worker, as a part of what the API takes: functions never
/// keep others out.
const PART_OF_API: usize = 2;
/// Each has two ends here.
const ENDS: u32 = 2;

/// See the module.
#[derive(Clone)]
pub(crate) struct Door {
    api: SocketAddr,
    room: Arc<Semaphore>,
    lines: Arc<Semaphore>,
}

impl Door {
    /// To the API at that address, which takes at most `connections`. `lines` has the turns to connect,
    /// which all environments share.
    pub(crate) fn new((api, connections): (SocketAddr, usize), lines: Arc<Semaphore>) -> Self {
        let room = (connections / PART_OF_API).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            api,
            room: Arc::new(Semaphore::new(room)),
            lines,
        }
    }

    /// Hands on what is said by these connections, until the future is dropped.
    pub(crate) async fn serve<C>(self, listener: impl Stream<Item = io::Result<C>>)
    where
        C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let accepting = Accepting::new(listener, "a function's connection to the API");
        // Never closed, so that every turn comes.
        let turn = || Arc::clone(&self.lines).acquire_many_owned(ENDS);
        let converse = |stream, turn: Result<_, _>| self.clone().hand_on(stream, turn.ok());
        accepting::serve(accepting, CONNECTIONS_MAX, turn, converse).await;
    }

    /// Carries one connection to its end. One that breaks, on either side, is for both ends to
    /// notice.
    async fn hand_on(
        self,
        mut inside: impl AsyncRead + AsyncWrite + Unpin,
        _lines: Option<OwnedSemaphorePermit>,
    ) {
        // The semaphore is never closed, so that there is always a turn.
        let _turn = self.room.acquire().await;
        let Ok(mut outside) = TcpStream::connect(self.api).await else {
            return;
        };
        // Small requests must not wait for more; a socket that refuses is about to fail.
        let _ = outside.set_nodelay(true);
        let _ = copy_bidirectional(&mut inside, &mut outside).await;
    }
}

#[cfg(test)]
mod tests {
    use sandbox::Listener;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn open(api: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let lines = Arc::new(Semaphore::new(100));
        tokio::spawn(Door::new((api, 100), lines).serve(Listener::Tcp(listener)));
        address
    }

    async fn say(stream: &mut TcpStream) -> [u8; 2] {
        stream.write_all(b"hi").await.unwrap();
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_ends_are_told() {
        let door = open(echo().await).await;
        let mut stream = TcpStream::connect(door).await.unwrap();
        assert_eq!(say(&mut stream).await, *b"hi");
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn more_connections_wait_for_others_to_end() {
        let door = open(echo().await).await;
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            let mut stream = TcpStream::connect(door).await.unwrap();
            assert_eq!(say(&mut stream).await, *b"hi");
            held.push(stream);
        }
        let mut late = TcpStream::connect(door).await.unwrap();
        late.write_all(b"hi").await.unwrap();
        assert_eq!(
            late.try_read(&mut [0]).unwrap_err().kind(),
            std::io::ErrorKind::WouldBlock
        );
        held.pop();
        let mut answer = [0; 2];
        late.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *b"hi");
    }

    #[tokio::test]
    async fn where_nobody_answers_connections_end() {
        let gone = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let mut stream = TcpStream::connect(open(gone).await).await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    }
}
