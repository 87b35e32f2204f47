//! FNV-1a: a hash that is the same in every build and process for ever, which the standard
//! library's is not. What is placed by it stays where it is.
//!
//! Not for what others may choose in order to collide, where colliding would harm. Its low bits
//! are its weakest: fold the high half in before a remainder is taken.

/// 32 bit, over all parts as if they were one text.
pub fn hash_32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// 64 bit, over all parts as if they were one text.
pub fn hash_64(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().copied().flatten();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_are_met() {
        // Of the algorithm's authors: draft-eastlake-fnv, appendix C.
        let vectors = [
            ("", 0x811c_9dc5, 0xcbf2_9ce4_8422_2325),
            ("a", 0xe40c_292c, 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0xbf9c_f968, 0x8594_4171_f739_67e8),
        ];
        for (text, short, long) in vectors {
            assert_eq!(hash_32(&[text.as_bytes()]), short, "{text}");
            assert_eq!(hash_64(&[text.as_bytes()]), long, "{text}");
        }
    }

    #[test]
    fn parts_count_as_one_text() {
        assert_eq!(hash_32(&[b"foo", b"", b"bar"]), hash_32(&[b"foobar"]));
        assert_eq!(hash_64(&[b"foo", b"", b"bar"]), hash_64(&[b"foobar"]));
    }
}
