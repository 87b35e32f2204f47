//! Code packages: checked and kept when a function is published, unpacked where it runs.
//!
//! ```text
//!   publish(zip) ──▶ checked ──▶ Blobs: code/<sha256>.zip      (durable; the authority)
//!                            └─▶ cache/<sha256>/…              (read-only folder; may vanish)
//!   folder(image) ─▶ cache/<sha256>/ if there, else unpacked from Blobs
//!   layers(images) ─▶ cache/layers-<sha256 of the list>/, their folders one over the other
//! ```
//!
//! A package's name is the hex SHA-256 of the zip, so equal packages are kept once.
//!
//! Architecture invariant: nothing of an entry's name or target is trusted; unpacking never
//! writes outside its own fresh folder, whatever the archive says.

mod cache;
mod error;
mod images;
mod layers;
mod unpack;

pub use error::Error;
pub use images::{Images, Published};
