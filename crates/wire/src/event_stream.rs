//! `application/vnd.amazon.eventstream`: messages one after the other in a body that has no end yet.
//!
//! ```text
//!   u32 whole length │ u32 length of headers │ u32 CRC of these eight bytes      the prelude
//!   headers: u8 length │ name │ u8 7 │ u16 length │ text                         any number of them
//!   payload
//!   u32 CRC of all before it
//! ```
//!
//! Numbers are big-endian, CRCs those of gzip. Headers have nine types; services send texts (7) and
//! nothing else, so a text is all that is written here and all that is read.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Content type of such a body.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// Prelude and both CRCs: the least a message has.
const FRAME_BYTES: usize = 16;
/// The length of the prelude with its CRC.
const PRELUDE_BYTES: usize = 12;
/// The largest message read, bytes (AWS: 16 MiB of payload and 128 KiB of headers).
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024 + 128 * 1024 + FRAME_BYTES;
/// The type of a header that is a text.
const TEXT: u8 = 7;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// Names and values in their order. A name has 255 bytes at most, a value 65 535; what is
    /// longer is cut off, as no name and value of ours is.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub payload: Bytes,
}

/// Why bytes are not a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// A length that no message has.
    #[error("the lengths of the message are impossible")]
    Length,
    /// A CRC that is another's.
    #[error("the message is damaged: a checksum differs")]
    Checksum,
    /// Headers that cannot be read, or are not texts.
    #[error("the headers of the message cannot be read")]
    Headers,
}

impl Message {
    /// An event of that name, whose payload is of that content type.
    pub fn event(name: &str, content_type: &str, payload: Bytes) -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            header(":event-type", name),
            header(":content-type", content_type),
            header(":message-type", "event"),
        ];
        Self { headers, payload }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// As it is sent.
    pub fn encode(&self) -> Bytes {
        let mut headers = BytesMut::with_capacity(128);
        for (name, value) in &self.headers {
            let (name, value) = (cut(name, 255), cut(value, 65_535));
            headers.put_u8(u8::try_from(name.len()).expect("cut to 255"));
            headers.put_slice(name.as_bytes());
            headers.put_u8(TEXT);
            headers.put_u16(u16::try_from(value.len()).expect("cut to 65 535"));
            headers.put_slice(value.as_bytes());
        }
        let length = FRAME_BYTES + headers.len() + self.payload.len();
        let mut out = BytesMut::with_capacity(length);
        out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        out.put_u32(u32::try_from(headers.len()).unwrap_or(u32::MAX));
        out.put_u32(crc32fast::hash(&out));
        out.put_slice(&headers);
        out.put_slice(&self.payload);
        out.put_u32(crc32fast::hash(&out));
        out.freeze()
    }
}

/// Reads messages out of a body that comes in pieces, cut anywhere.
#[derive(Default, Debug)]
pub struct Decoder {
    unread: BytesMut,
}

impl Decoder {
    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        self.unread.extend_from_slice(piece);
    }

    /// The next message, if all of it is here. After an error there are no further messages:
    /// where the next one begins is not known.
    pub fn next_message(&mut self) -> Result<Option<Message>, Error> {
        if self.unread.len() < PRELUDE_BYTES {
            return Ok(None);
        }
        let mut prelude = &self.unread[..PRELUDE_BYTES];
        let sum = crc32fast::hash(&prelude[..8]);
        let (length, headers) = (prelude.get_u32() as usize, prelude.get_u32() as usize);
        if prelude.get_u32() != sum {
            return Err(Error::Checksum);
        }
        if length > MESSAGE_BYTES_MAX || length < FRAME_BYTES.saturating_add(headers) {
            return Err(Error::Length);
        }
        if self.unread.len() < length {
            return Ok(None);
        }
        let whole = self.unread.split_to(length).freeze();
        let (body, mut sum) = (whole.slice(..length - 4), whole.slice(length - 4..));
        if crc32fast::hash(&body) != sum.get_u32() {
            return Err(Error::Checksum);
        }
        let payload = body.slice(PRELUDE_BYTES + headers..);
        let headers = read_headers(body.slice(PRELUDE_BYTES..PRELUDE_BYTES + headers))?;
        Ok(Some(Message { headers, payload }))
    }
}

fn read_headers(mut bytes: Bytes) -> Result<Vec<(String, String)>, Error> {
    let mut headers = Vec::new();
    while bytes.has_remaining() {
        let length = bytes.get_u8();
        let name = text(&mut bytes, length.into())?;
        if bytes.try_get_u8() != Ok(TEXT) {
            return Err(Error::Headers);
        }
        let length = bytes.try_get_u16().map_err(|_| Error::Headers)?;
        headers.push((name, text(&mut bytes, length.into())?));
    }
    Ok(headers)
}

fn text(bytes: &mut Bytes, length: usize) -> Result<String, Error> {
    if bytes.len() < length {
        return Err(Error::Headers);
    }
    String::from_utf8(bytes.split_to(length).to_vec()).map_err(|_| Error::Headers)
}

/// The beginning of a text, at most `bytes_max` bytes, with no character cut in two.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Result<Option<Message>, Error> {
        let mut decoder = Decoder::default();
        decoder.feed(bytes);
        decoder.next_message()
    }

    /// The two smallest messages, whose bytes are published with the format's description.
    #[test]
    fn known_messages_have_their_bytes() {
        let empty = [
            0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff,
        ];
        assert_eq!(Message::default().encode()[..], empty);
        let payload = Bytes::from_static(b"{'foo':'bar'}");
        let message = Message {
            headers: Vec::new(),
            payload,
        };
        let encoded = message.encode();
        assert_eq!(
            encoded[..12],
            [0, 0, 0, 0x1d, 0, 0, 0, 0, 0xfd, 0x52, 0x8c, 0x5a]
        );
        assert_eq!(encoded[25..], [0xc3, 0x65, 0x39, 0x36]);
        assert_eq!(decode(&encoded), Ok(Some(message)));
    }

    #[test]
    fn an_event_names_itself() {
        let event = Message::event("PayloadChunk", "application/octet-stream", Bytes::new());
        let read = decode(&event.encode()).unwrap().unwrap();
        assert_eq!(read.header(":event-type"), Some("PayloadChunk"));
        assert_eq!(read.header(":message-type"), Some("event"));
        assert_eq!(read.header("absent"), None);
    }

    #[test]
    fn headers_that_are_too_long_are_cut_between_characters() {
        let message = Message {
            headers: vec![("n".repeat(300), "ä".repeat(40_000))],
            payload: Bytes::new(),
        };
        let read = decode(&message.encode()).unwrap().unwrap();
        assert_eq!(read.headers[0].0.len(), 255);
        assert_eq!(read.headers[0].1.len(), 65_534);
    }

    #[test]
    fn impossible_lengths_are_refused_before_anything_is_waited_for() {
        let prelude = |length: u32, headers: u32| {
            let mut out = BytesMut::new();
            out.put_u32(length);
            out.put_u32(headers);
            out.put_u32(crc32fast::hash(&out));
            out
        };
        for (length, headers) in [
            (0, 0),
            (15, 0),
            (16, 1),
            (u32::MAX, 0),
            (u32::MAX, u32::MAX),
            (100, u32::MAX),
        ] {
            assert_eq!(decode(&prelude(length, headers)), Err(Error::Length));
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_again_however_it_is_cut(
            messages in prop::collection::vec(
                (prop::collection::vec((".{0,20}", ".{0,40}"), 0..4), prop::collection::vec(any::<u8>(), 0..200)),
                0..4,
            ),
            cut in 1usize..64,
        ) {
            let messages: Vec<Message> = messages
                .into_iter()
                .map(|(headers, payload)| Message { headers, payload: payload.into() })
                .collect();
            let bytes: Vec<u8> = messages.iter().flat_map(|message| message.encode()).collect();
            let mut decoder = Decoder::default();
            let mut read = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.feed(piece);
                while let Some(message) = decoder.next_message().unwrap() {
                    read.push(message);
                }
            }
            prop_assert!(decoder.unread.is_empty());
            prop_assert_eq!(read, messages);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), flip in 1u8..) {
            let event = Message::event("PayloadChunk", "a/b", Bytes::from_static(b"payload"));
            let mut bytes = event.encode().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(!matches!(decode(&bytes), Ok(Some(_))));
        }

        #[test]
        fn hostile_headers_do_not_panic(headers in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read_headers(headers.into());
        }
    }
}
