//! A message of a journal: some records, or none if it only says how far the journal is trimmed.
//!
//! ```text
//!   version: 1 | first: 8 | trimmed: 8 | count: 4 | length: 4, of each record | the records
//! ```

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::error::Failure;

const VERSION: u8 = 1;

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The position of its first record; that of the tail, if it has none.
    pub(super) first: u64,
    /// The position of the first record that is kept.
    pub(super) trimmed: u64,
    pub(super) records: Vec<Bytes>,
}

impl Frame {
    /// The position after its last record.
    pub(super) fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }
}

pub(super) fn encode(first: u64, trimmed: u64, records: &[Bytes]) -> Bytes {
    let bytes: usize = records.iter().map(|record| record.len() + 4).sum();
    let mut frame = BytesMut::with_capacity(21 + bytes);
    frame.put_u8(VERSION);
    frame.put_u64_le(first);
    frame.put_u64_le(trimmed);
    frame.put_u32_le(records.len() as u32);
    for record in records {
        frame.put_u32_le(record.len() as u32);
    }
    for record in records {
        frame.put_slice(record);
    }
    frame.freeze()
}

pub(super) fn decode(body: Bytes) -> Result<Frame, Failure> {
    parse(body).ok_or_else(|| Failure::Odd("a message of a journal is damaged".to_owned()))
}

fn parse(mut body: Bytes) -> Option<Frame> {
    if body.try_get_u8().ok()? != VERSION {
        return None;
    }
    let first = body.try_get_u64_le().ok()?;
    let trimmed = body.try_get_u64_le().ok()?;
    let count = body.try_get_u32_le().ok()? as usize;
    let mut lengths = (body.len() >= count.checked_mul(4)?).then(|| body.split_to(count * 4))?;
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        let length = lengths.get_u32_le() as usize;
        records.push((body.len() >= length).then(|| body.split_to(length))?);
    }
    body.is_empty().then_some(Frame {
        first,
        trimmed,
        records,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_off_is_not() {
        let records = ["a", "", "ccc"].map(Bytes::from).to_vec();
        let frame = encode(7, 5, &records);
        for end in 0..frame.len() {
            assert!(decode(frame.slice(..end)).is_err());
        }
        let read = decode(frame).unwrap();
        assert_eq!(read.next(), 10);
        let (first, trimmed) = (7, 5);
        assert_eq!(
            read,
            Frame {
                first,
                trimmed,
                records
            }
        );
    }
}
