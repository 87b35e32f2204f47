//! SHA-256 as text.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

/// In hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}
