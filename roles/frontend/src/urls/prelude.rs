//! The head before a streamed response's body: JSON, then eight zero bytes, then the body. It arrives
//! in pieces, cut anywhere, from a function that may write anything.

use bytes::{Bytes, BytesMut};
use http::Response;

use super::result::{self, Malformed};

/// The content type by which a runtime says that there is a prelude.
pub(super) const CONTENT_TYPE: &str = "application/vnd.awslambda.http-integration-response";
/// What ends the head. JSON has no zero byte, so this is never in it.
const DELIMITER: [u8; 8] = [0; 8];
/// The longest head (AWS: 1 MB for line and headers).
const BYTES_MAX: usize = 1024 * 1024;

/// The beginning of a streamed response.
#[derive(Default)]
pub(super) struct Beginning {
    bytes: BytesMut,
    /// Before this there is no delimiter.
    looked_at: usize,
}

impl Beginning {
    /// Takes the next piece. Returns the head and the received part of the body, once the head is
    /// whole.
    pub(super) fn take(
        &mut self,
        piece: &[u8],
    ) -> Result<Option<(Response<()>, Bytes)>, Malformed> {
        self.bytes.extend_from_slice(piece);
        let unseen = &self.bytes[self.looked_at..];
        let found = unseen
            .windows(DELIMITER.len())
            .position(|window| window == DELIMITER);
        match found {
            // However it was cut: the head may have arrived in one piece with the body.
            Some(at) if self.looked_at + at > BYTES_MAX => Err(Malformed),
            Some(at) => {
                let json = self.bytes.split_to(self.looked_at + at);
                let body = self.bytes.split_off(DELIMITER.len()).freeze();
                Ok(Some((result::prelude(&json)?, body)))
            }
            None if self.bytes.len() > BYTES_MAX => Err(Malformed),
            None => {
                // The delimiter may have begun.
                self.looked_at = self.bytes.len().saturating_sub(DELIMITER.len() - 1);
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_is_read_and_the_body_begins_behind_it() {
        let mut beginning = Beginning::default();
        let bytes = b"{\"statusCode\":201,\"headers\":{\"a\":\"b\"},\"cookies\":[\"c=1\"]}\0\0\0\0\0\0\0\0body";
        let (head, body) = beginning.take(bytes).unwrap().unwrap();
        assert_eq!(head.status(), 201);
        assert_eq!(head.headers()["a"], "b");
        assert_eq!(head.headers()["set-cookie"], "c=1");
        assert_eq!(head.headers()["content-type"], "application/octet-stream");
        assert_eq!(body, "body");
    }

    #[test]
    fn a_head_that_is_none_is_malformed_and_one_without_end_as_well() {
        let mut beginning = Beginning::default();
        assert_eq!(beginning.take(b"{\0\0\0\0\0\0\0\0").err(), Some(Malformed));
        let mut beginning = Beginning::default();
        let piece = vec![b' '; 64 * 1024];
        let taken = (0..=BYTES_MAX / piece.len()).map(|_| beginning.take(&piece));
        assert_eq!(taken.last().unwrap().err(), Some(Malformed));
    }

    proptest! {
        #[test]
        fn it_makes_no_difference_how_it_is_cut(
            cuts in prop::collection::vec(1usize..30, 1..40),
            body in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..40),
        ) {
            let mut bytes = b"{\"statusCode\":404}\0\0\0\0\0\0\0\0".to_vec();
            bytes.extend_from_slice(&body);
            let mut beginning = Beginning::default();
            let mut found: Option<(u16, Vec<u8>)> = None;
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                rest = after;
                match &mut found {
                    Some((_, read)) => read.extend_from_slice(piece),
                    None => if let Some((head, body)) = beginning.take(piece).unwrap() {
                        found = Some((head.status().as_u16(), body.to_vec()));
                    }
                }
            }
            prop_assert_eq!(found, Some((404, body)));
        }

        #[test]
        fn no_bytes_panic(
            bytes in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..300),
            cut in 1usize..30,
        ) {
            let mut beginning = Beginning::default();
            for piece in bytes.chunks(cut) {
                if !matches!(beginning.take(piece), Ok(None)) { break }
            }
        }
    }
}
