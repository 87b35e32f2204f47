//! Where a canonical request is written to. It may be many times as long as what it is made of, so
//! it is never built: it is hashed as it is written, and of what a refusal shows a part is kept.

use ring::digest::{Context, Digest, SHA256, digest};

/// Takes the bytes of a canonical request in their order.
pub(super) trait Out {
    /// The next bytes.
    fn put(&mut self, bytes: &[u8]);
}

/// Bytes collected before they are hashed: a canonical request has many short pieces.
const PIECE_BYTES: usize = 1024;

/// Hashes what is written.
pub(super) struct Hashing {
    /// Of what came before the piece, if there is more than one.
    context: Option<Context>,
    piece: [u8; PIECE_BYTES],
    filled: usize,
}

impl Hashing {
    pub(super) fn new() -> Self {
        Self {
            context: None,
            piece: [0; PIECE_BYTES],
            filled: 0,
        }
    }

    /// The SHA-256 of all of it.
    pub(super) fn finish(self) -> Digest {
        let piece = &self.piece[..self.filled];
        match self.context {
            // Nearly always: at once is quicker.
            None => digest(&SHA256, piece),
            Some(mut context) => {
                context.update(piece);
                context.finish()
            }
        }
    }

    /// Makes room for bytes that do not fit in any more.
    #[cold]
    fn overflow(&mut self, bytes: &[u8]) {
        let context = self.context.get_or_insert_with(|| Context::new(&SHA256));
        context.update(&self.piece[..self.filled]);
        context.update(bytes);
        self.filled = 0;
    }
}

impl Out for Hashing {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        match self.piece.get_mut(self.filled..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.filled = end;
            }
            None => self.overflow(bytes),
        }
    }
}

/// Keeps the first bytes of what is written.
pub(super) struct Beginning {
    bytes: Vec<u8>,
    max: usize,
    cut: bool,
}

impl Beginning {
    pub(super) fn new(max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            max,
            cut: false,
        }
    }

    /// As text, with a mark where it was cut off.
    pub(super) fn text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.cut {
            text.push_str("...");
        }
        text
    }
}

impl Out for Beginning {
    fn put(&mut self, bytes: &[u8]) {
        let room = self.max - self.bytes.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.bytes.extend_from_slice(taken);
        self.cut |= taken.len() < bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_makes_no_difference_to_a_hash_in_which_pieces_it_is_written() {
        let all: Vec<u8> = (0..5_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for size in [1, 7, 1_023, 1_024, 1_025, 2_000] {
            let mut hashing = Hashing::new();
            for piece in all.chunks(size) {
                hashing.put(piece);
            }
            assert_eq!(
                hashing.finish().as_ref(),
                digest(&SHA256, &all).as_ref(),
                "{size}"
            );
        }
    }

    #[test]
    fn of_what_is_too_long_the_beginning_is_kept() {
        let mut beginning = Beginning::new(4);
        for piece in ["ab", "cdef", "g"] {
            beginning.put(piece.as_bytes());
        }
        assert_eq!(beginning.text(), "abcd...");
        let mut whole = Beginning::new(4);
        whole.put(b"abcd");
        assert_eq!(whole.text(), "abcd");
    }
}
