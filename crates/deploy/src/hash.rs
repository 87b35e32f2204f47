//! SHA-256 as text.

use ring::digest::{SHA256, digest};

/// In hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
