//! A connection's bytes on their way between the kernel and hyper, and what is seen of them only
//! here: how much of a head has come, how its lines end, and how fast an answer is taken.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::conversation::Conversation;
use super::intake::{Holding, Intake, Part, Whose};
use super::patience::Patience;

/// Bytes of a head that every connection has; more are taken from the budget.
const FREE_BYTES: usize = 8 * 1024;
/// How long a client may read nothing of an answer.
const GRACE: Duration = Duration::from_secs(60);
/// What it must take, on average, after that.
const LEAST_BYTES_PER_SECOND: u64 = 1024;

/// A stream, watched.
pub(super) struct Line<S> {
    stream: S,
    conversation: Arc<Conversation>,
    intake: Arc<Intake>,
    head: Head,
    answer: Answer,
}

/// The head that is being read.
#[derive(Default)]
struct Head {
    /// How many requests there were before it.
    request: u32,
    /// Bytes that came since the last answer was gone.
    bytes: usize,
    held: Option<Holding>,
    lines: Lines,
}

/// How the lines of a head end.
#[derive(Default)]
struct Lines {
    /// The byte before the next.
    last: u8,
    /// Bytes of the line that is being read.
    length: usize,
    /// The empty line has come; what follows is not a head.
    over: bool,
}

/// The answer that is being written.
struct Answer {
    /// Which request's.
    request: u32,
    patience: Patience,
    waiting: Option<Instant>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Line<S> {
    pub(super) fn new(stream: S, conversation: Arc<Conversation>, intake: Arc<Intake>) -> Self {
        Self {
            stream,
            conversation,
            intake,
            head: Head::default(),
            answer: Answer::new(0),
        }
    }

    /// Some bytes have come.
    fn came(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.conversation.is_answering() {
            // A body's, or the next request's: the former is counted where it is read, and of the
            // latter there is no more than hyper's buffer takes.
            return Ok(());
        }
        let request = self.conversation.requests();
        if self.head.request != request {
            self.head = Head {
                request,
                ..Head::default()
            };
        }
        if self.head.lines.have_bare_end(bytes) {
            self.conversation.mark_bare();
        }
        let before = self.head.bytes;
        self.head.bytes += bytes.len();
        if self.head.bytes <= FREE_BYTES {
            return Ok(());
        }
        let more = self.head.bytes - before.max(FREE_BYTES);
        let held = self.head.held.get_or_insert_with(|| {
            let whose = Whose {
                party: self.conversation.party,
                account: None,
                verified: false,
            };
            self.intake.open(Part::Head, whose, &self.conversation)
        });
        held.try_grow(more)
            .map_err(|_| io::ErrorKind::OutOfMemory.into())
    }
}

impl Lines {
    /// Whether one of `bytes`, which are next, ends a line of the head without a CR before it.
    fn have_bare_end(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !self.over && !rest.is_empty() {
            let Some(at) = rest.iter().position(|byte| *byte == b'\n') else {
                self.length += rest.len();
                self.last = rest[rest.len() - 1];
                return false;
            };
            let before = if at > 0 { rest[at - 1] } else { self.last };
            if before != b'\r' {
                return true;
            }
            let length = self.length + at;
            self.over = length == 1;
            (self.length, self.last) = (0, b'\n');
            rest = &rest[at + 1..];
        }
        false
    }
}

impl Answer {
    fn new(request: u32) -> Self {
        Self {
            request,
            patience: Patience::new(GRACE, LEAST_BYTES_PER_SECOND),
            waiting: None,
            deadline: None,
        }
    }

    /// What became of a try to write.
    fn tried(
        &mut self,
        request: u32,
        tried: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.request != request {
            *self = Self::new(request);
        }
        match tried {
            Poll::Ready(Ok(bytes)) => {
                if let Some(since) = self.waiting.take() {
                    self.patience.waited(since.elapsed());
                    self.deadline = None;
                }
                self.patience.moved(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let since = *self.waiting.get_or_insert_with(Instant::now);
                let left = self.patience.left();
                let deadline = self
                    .deadline
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(since + left)));
                std::task::ready!(deadline.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl Answer {
    /// What became of a try to send what a layer below keeps, as TLS does.
    fn sent(
        &mut self,
        request: u32,
        tried: Poll<io::Result<()>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let tried = tried.map_ok(|()| 0);
        self.tried(request, tried, context).map_ok(|_| ())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let came = &buffer.filled()[before..];
        Poll::Ready(self.came(came))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(context, bytes);
        let request = self.conversation.requests();
        self.answer.tried(request, tried, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        let request = self.conversation.requests();
        self.answer.tried(request, tried, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_flush(context);
        let request = self.conversation.requests();
        self.answer.sent(request, tried, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_shutdown(context);
        let request = self.conversation.requests();
        self.answer.sent(request, tried, context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn line(
        stream: tokio::io::DuplexStream,
        max: u64,
    ) -> (Line<tokio::io::DuplexStream>, Arc<Conversation>) {
        let conversation = Conversation::new([192, 0, 2, 1].into());
        let line = Line::new(stream, Arc::clone(&conversation), Intake::new(max));
        (line, conversation)
    }

    async fn is_bare(head: &[u8], size: usize) -> bool {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let (mut line, conversation) = line(server, 1 << 20);
        for piece in head.chunks(size) {
            client.write_all(piece).await.unwrap();
            let mut read = [0; 1024];
            assert_eq!(line.read(&mut read).await.unwrap(), piece.len());
        }
        conversation.is_bare()
    }

    #[tokio::test]
    async fn a_head_whose_line_ends_with_a_line_feed_alone_is_seen() {
        for (head, expected) in [
            (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], false),
            (b"GET / HTTP/1.1\nHost: a\r\n\r\n", true),
            (b"GET / HTTP/1.1\r\nHost: a\n\r\n", true),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\n", true),
            (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            // A body may have any.
            (b"POST / HTTP/1.1\r\nHost: a\r\n\r\na\nb\n\n", false),
        ] {
            for size in [1, 2, 3, 1_000] {
                let text = String::from_utf8_lossy(head);
                assert_eq!(is_bare(head, size).await, expected, "{text:?} by {size}");
            }
        }
    }

    #[tokio::test]
    async fn a_long_head_is_taken_from_the_budget_and_ends_with_it() {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let (mut line, conversation) = line(server, 10_000);
        let mut read = vec![0; 18_000];
        client.write_all(&[b'a'; 18_000]).await.unwrap();
        line.read_exact(&mut read).await.unwrap();
        client.write_all(&[b'a'; 1_000]).await.unwrap();
        let refused = line.read(&mut read).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
        // It is given back when the next request begins.
        let answering = conversation.answering();
        client.write_all(b"body").await.unwrap();
        line.read_exact(&mut read[..4]).await.unwrap();
        drop(answering);
        client.write_all(&[b'a'; 10_000]).await.unwrap();
        line.read_exact(&mut read[..10_000]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_of_an_answer_is_left() {
        let (mut client, server) = tokio::io::duplex(1_000);
        let (mut line, conversation) = line(server, 10_000);
        let _answering = conversation.answering();
        let began = Instant::now();
        let written = line.write_all(&[b'a'; 5_000]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= GRACE);
        // One that takes some has longer.
        let mut taken = vec![0; 1_000];
        client.read_exact(&mut taken).await.unwrap();
        let _next = conversation.answering();
        let slow = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(13)).await;
                client.read_exact(&mut taken).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(line.write_all(&[b'a'; 5_000]), slow);
        written.unwrap();
    }
}
