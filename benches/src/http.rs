//! A client that costs little: one connection, one request at a time, nothing parsed but the
//! status and the length.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether it carries `x-amz-function-error`.
    pub(crate) failed: bool,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Fails unless the answer is a success.
    pub(crate) fn succeeded(self) -> anyhow::Result<()> {
        if matches!(self.status, 200 | 202) && !self.failed {
            return Ok(());
        }
        bail!("{}: {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Connection {
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("no connection")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        })
    }

    /// Sends a request, ready to the last byte, and reads its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if let Some(answer) = parse(&self.buffer)? {
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server hung up");
            }
        }
    }
}

/// The same, of a thread that waits: it sleeps to the microsecond, which a runtime's timers do not.
pub(crate) struct BlockingConnection {
    stream: std::net::TcpStream,
    buffer: Vec<u8>,
}

impl BlockingConnection {
    pub(crate) fn open(address: &str) -> anyhow::Result<Self> {
        let stream = std::net::TcpStream::connect(address).context("no connection")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        })
    }

    /// See [`Connection::ask`].
    pub(crate) fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut part = [0; 4096];
        loop {
            if let Some(answer) = parse(&self.buffer)? {
                return Ok(answer);
            }
            match self.stream.read(&mut part)? {
                0 => bail!("the server hung up"),
                read => self.buffer.extend_from_slice(&part[..read]),
            }
        }
    }
}

fn parse(buffer: &[u8]) -> anyhow::Result<Option<Answer>> {
    let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&buffer[..at]).context("a head that is not text")?;
    let status = head
        .get(9..12)
        .and_then(|text| text.parse().ok())
        .context("no status")?;
    let mut length = 0;
    let mut failed = false;
    for line in head.lines() {
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.parse().context("a length that is not a number")?;
        }
        failed |= line.starts_with("x-amz-function-error");
    }
    let body = &buffer[at + 4..];
    Ok((body.len() >= length).then(|| Answer {
        status,
        failed,
        body: body[..length].to_vec(),
    }))
}
