//! The form of messages: MessagePack inside of gRPC's frames, which this crate reads and writes by itself.

use bytes::{Buf as _, BufMut as _, Bytes};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// The longest message: an event or a result of 6 MB, and what goes with it.
pub(crate) const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// Writes a message.
pub(crate) fn encode(message: &impl Serialize) -> Result<Bytes, Status> {
    let encoded = rmp_serde::to_vec_named(message);
    encoded
        .map(Bytes::from)
        .map_err(|error| Status::internal(format!("a message cannot be written: {error}")))
}

/// Reads a message. Whatever the bytes are, it ends in a message or in this error.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Status> {
    rmp_serde::from_slice(bytes)
        .map_err(|error| Status::invalid_argument(format!("a message cannot be read: {error}")))
}

/// Frames are passed on as they are.
#[derive(Clone, Copy, Default)]
pub(crate) struct Frames;

impl Codec for Frames {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Frames {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}

#[cfg(test)]
mod tests {
    use api::worker::StreamEvent;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_stay_as_short_as_they_are() {
        let piece = StreamEvent::Piece(Bytes::from(vec![255; 1_000]));
        let written = encode(&piece).unwrap();
        assert!(written.len() < 1_020, "{}", written.len());
        assert_eq!(decode::<StreamEvent>(&written).unwrap(), piece);
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<api::worker::Invoke>(&bytes);
            let _ = decode::<Result<api::assignment::Lease, api::assignment::Error>>(&bytes);
            let _ = decode::<StreamEvent>(&bytes);
        }
    }
}
