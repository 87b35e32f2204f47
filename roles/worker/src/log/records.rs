//! Cuts what processes write into log records. Pure.
//!
//! A runtime's loggers write frames, as AWS's do on `_LAMBDA_TELEMETRY_LOG_FD`: one call is one record,
//! with its line breaks. Everything else, of whichever process, is a record for each line.
//!
//! ```text
//!   a5 5a 00, kind │ length, 4 bytes │ time in µs, 8 bytes │ message, `length` bytes      (big-endian)
//! ```
//!
//! Frames and lines share one pipe, so that they stay in the order in which they were written. All of it is a
//! function's, and may be anything: a frame that lies about its length only joins or cuts records of the
//! same log, and nothing here grows beyond one record's maximum.

/// A record is cut after this many bytes, between two characters: CloudWatch's limit for an event is 256 KB.
pub(super) const RECORD_BYTES_MAX: usize = 256 * 1024 - 26;
/// What frames begin with. No text has these bytes: the first would have to follow another character's.
const MAGIC: [u8; 3] = [0xa5, 0x5a, 0x00];
const HEADER_BYTES: usize = 16;
/// Lengths are read as signed numbers by AWS's runtimes.
const FRAME_BYTES_MAX: u32 = i32::MAX as u32;

/// What has come of a record that is not complete yet.
#[derive(Default)]
pub(super) struct Records {
    framed: bool,
    partial: Vec<u8>,
    /// The beginning of what may be a frame's header.
    header: Vec<u8>,
    /// Bytes of the present frame that have not come.
    missing: usize,
}

/// What the next bytes are.
enum Next {
    Line,
    Text(usize),
    Frame(usize),
    /// More bytes are needed to know.
    Unknown,
}

impl Records {
    /// For processes that write lines only: extensions.
    pub(super) fn of_lines() -> Self {
        Self::default()
    }

    /// For a runtime's processes.
    pub(super) fn of_frames_and_lines() -> Self {
        Self {
            framed: true,
            ..Self::default()
        }
    }

    /// Takes in what was written, and hands out each record that is complete.
    pub(super) fn take(&mut self, bytes: &[u8], record: &mut impl FnMut(Vec<u8>)) {
        if self.header.is_empty() {
            return self.cut(bytes, record);
        }
        let mut joined = std::mem::take(&mut self.header);
        joined.extend_from_slice(bytes);
        self.cut(&joined, record);
    }

    /// What there is of the present record, if anything.
    pub(super) fn flush(&mut self) -> Option<Vec<u8>> {
        // One byte alone is rather the end of a character than the beginning of a frame.
        if self.header.len() == 1 {
            self.partial.append(&mut self.header);
        }
        let partial = std::mem::take(&mut self.partial);
        (!partial.is_empty()).then_some(partial)
    }

    /// The writer is gone, perhaps in the middle of a frame. What follows is a new frame.
    pub(super) fn begin_anew(&mut self) {
        self.missing = 0;
        self.header.clear();
    }

    fn cut(&mut self, mut bytes: &[u8], record: &mut impl FnMut(Vec<u8>)) {
        while !bytes.is_empty() {
            if self.missing > 0 {
                let count = self.missing.min(bytes.len());
                self.keep(&bytes[..count], record);
                bytes = &bytes[count..];
                self.missing -= count;
                if self.missing == 0 {
                    self.end(record);
                }
                continue;
            }
            match self.next(bytes) {
                Next::Line => {
                    self.keep(&bytes[..1], record);
                    self.end(record);
                    bytes = &bytes[1..];
                }
                Next::Text(count) => {
                    self.keep(&bytes[..count], record);
                    bytes = &bytes[count..];
                }
                Next::Frame(length) => {
                    self.end(record);
                    self.missing = length;
                    bytes = &bytes[HEADER_BYTES..];
                }
                Next::Unknown => {
                    self.header = bytes.to_vec();
                    return;
                }
            }
        }
    }

    /// `bytes` are not empty, and not within a frame.
    fn next(&self, bytes: &[u8]) -> Next {
        match bytes[0] {
            b'\n' => return Next::Line,
            first if first == MAGIC[0] && self.framed => match frame(bytes) {
                Next::Text(_) => {}
                other => return other,
            },
            _ => {}
        }
        // A function can write faster than it is read byte by byte.
        let more = if self.framed {
            memchr::memchr2(b'\n', MAGIC[0], &bytes[1..])
        } else {
            memchr::memchr(b'\n', &bytes[1..])
        };
        Next::Text(more.map_or(bytes.len(), |more| more + 1))
    }

    fn keep(&mut self, mut bytes: &[u8], record: &mut impl FnMut(Vec<u8>)) {
        while self.partial.len() + bytes.len() > RECORD_BYTES_MAX {
            let (fits, rest) = bytes.split_at(RECORD_BYTES_MAX - self.partial.len());
            self.partial.extend_from_slice(fits);
            let begun = unfinished(&self.partial);
            let next = self.partial.split_off(self.partial.len() - begun);
            record(std::mem::replace(&mut self.partial, next));
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn end(&mut self, record: &mut impl FnMut(Vec<u8>)) {
        if !self.partial.is_empty() {
            record(std::mem::take(&mut self.partial));
        }
    }
}

/// Whether a frame begins here; `Text` if none does.
fn frame(bytes: &[u8]) -> Next {
    let magic = MAGIC.len().min(bytes.len());
    // Bits of the kind: one that is always set, text or JSON, and three for the level.
    let kind = bytes.get(3).is_none_or(|kind| kind & 0b1110_0010 == 0b10);
    if bytes[..magic] != MAGIC[..magic] || !kind {
        return Next::Text(1);
    }
    let Some(length) = bytes.get(4..HEADER_BYTES).and_then(<[u8]>::first_chunk) else {
        return Next::Unknown;
    };
    let length = u32::from_be_bytes(*length);
    match usize::try_from(length) {
        Ok(size) if length <= FRAME_BYTES_MAX => Next::Frame(size),
        _ => Next::Text(1),
    }
}

/// The text in pieces that are no longer than a record may be. Bytes that are not UTF-8 became longer when
/// they were made one.
pub(super) fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let mut end = text.len().min(RECORD_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, rest) = text.split_at(end);
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// How many bytes at the end begin a character of UTF-8 that is not complete.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let needed = match bytes[bytes.len() - back] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 0,
        };
        return if needed > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests;
