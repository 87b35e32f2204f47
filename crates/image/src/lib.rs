//! Code packages: checked and kept when a function is published, unpacked where it runs.
//!
//! ```text
//!   Packages   publish(zip) ───▶ checked ──▶ Blobs: code/<sha256>.zip   (durable; the authority)
//!
//!   Folders    folder(image) ──▶ <account>/<sha256>/, if there; else the package's digest is checked and a
//!                                confined process unpacks it           (a worker's cache; may vanish)
//!              layers(images) ─▶ <account>/layers-<sha256 of the list>/, their folders one over the other
//! ```
//!
//! A package's name is the hex SHA-256 of the zip, so equal packages are kept once. Read in this order:
//! [`packages`] keeps them; [`plan`] is what an archive comes to, [`unpack`] and [`layers`] make it, [`confine`] is
//! where; [`folders`] has them made, on [`disk`], and [`index`] says which go; [`leave`] is what the disk keeps.
//!
//! Architecture invariants: nothing of an entry's name or target is trusted; unpacking never writes
//! outside its own fresh folder, whatever the archive says. No path below a package's folder is ever
//! handed to the kernel but by [`beneath`] (`xtask tidy` looks). What is kept is used only if its digest
//! is its name.

mod confine;
mod disk;
mod error;
mod folders;
mod index;
mod layers;
mod leave;
mod packages;
mod plan;
mod report;
mod turns;
mod unpack;

pub use confine::{Confine, Task, Unconfined, work};
pub use error::{Error, Problem};
pub use folders::{Folders, Unpacked};
pub use packages::{Packages, Published, blob_name};
