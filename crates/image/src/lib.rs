//! Code packages: checked and kept when a function is published, unpacked where it runs.
//!
//! ```text
//!   publish(zip) ──▶ checked ──▶ Blobs: code/<sha256>.zip      (durable; the authority)
//!                            └─▶ cache/<account>/<sha256>/…    (read-only folder; may vanish)
//!   folder(image) ─▶ its folder if there, else: digest looked at, unpacked in a confined process
//!   layers(images) ─▶ layers-<sha256 of the list>/, their folders one over the other
//! ```
//!
//! A package's name is the hex SHA-256 of the zip, so equal packages are kept once. Read in this order:
//! [`plan`] is what an archive comes to, [`unpack`] and [`layers`] make it, [`confine`] is where; [`cache`]
//! and [`images`] are what goes on outside; [`leave`] is what the disk keeps.
//!
//! Architecture invariants: nothing of an entry's name or target is trusted; unpacking never writes
//! outside its own fresh folder, whatever the archive says. No path below a package's folder is ever
//! handed to the kernel but by [`beneath`] (`xtask tidy` looks). What is kept is used only if its digest
//! is its name.

mod cache;
mod confine;
mod error;
mod images;
mod layers;
mod leave;
mod plan;
mod report;
mod turns;
mod unpack;

pub use confine::{Confine, Task, Unconfined, work};
pub use error::{Error, Problem};
pub use images::{Images, Published};
