//! What a function finds at `/opt`: its layers, one over the other.
//!
//! Files are linked, not copied: a folder made of layers takes next to no room, and its files are
//! those of the layers' own folders. Nothing is ever written through a link that a layer brought:
//! only true folders are gone into, and whatever else is in the way is taken away first.

use std::io;
use std::path::Path;

use beneath::{Folder, Kind};
use data_encoding::HEXLOWER;
use types::limits::UNZIPPED_BYTES_MAX;

use crate::leave::Leave;
use crate::plan::{DEPTH_MAX, ENTRY_BYTES_MIN};

/// Names in one folder of a layer, at most: a package has no more in all.
const ENTRIES_MAX: usize = (UNZIPPED_BYTES_MAX / ENTRY_BYTES_MIN) as usize;

/// How the names of what is made of layers begin. Those of packages are hexadecimal.
const PREFIX: &str = "layers-";

/// Puts unpacked layers into one empty folder, in their order: what comes later takes the place of
/// what was there.
pub(crate) fn merge(layers: &[Folder], into: &Folder, leave: Leave) -> io::Result<()> {
    layers
        .iter()
        .try_for_each(|layer| lay(layer, into, 0, leave))
}

/// Names what [`merge`] makes of these packages.
pub(crate) fn name(images: &[&str]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, images.join("/").as_bytes());
    format!("{PREFIX}{}", HEXLOWER.encode(digest.as_ref()))
}

/// Whether that is such a name.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

fn lay(from: &Folder, into: &Folder, depth: usize, leave: Leave) -> io::Result<()> {
    if depth > DEPTH_MAX {
        // No package that was unpacked is so deep.
        return Err(io::ErrorKind::InvalidData.into());
    }
    for (name, kind) in from.entries(ENTRIES_MAX)? {
        leave.check(into)?;
        let name = Path::new(&name);
        let there = match into.look(name) {
            Ok(facts) => Some(facts.kind),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if kind == Kind::Folder {
            if there != Some(Kind::Folder) {
                into.remove_all(name)?;
                into.make_folder(name, 0o755)?;
            }
            lay(&from.folder(name)?, &into.folder(name)?, depth + 1, leave)?;
        } else {
            if there.is_some() {
                into.remove_all(name)?;
            }
            put(from, into, name, kind)?;
        }
    }
    Ok(())
}

fn put(from: &Folder, into: &Folder, name: &Path, kind: Kind) -> io::Result<()> {
    match kind {
        Kind::Link => return into.make_link(&from.link_target(name)?, name),
        Kind::File => {}
        // No package makes any.
        Kind::Folder | Kind::Other => return Err(io::ErrorKind::InvalidData.into()),
    }
    match from.hard_link(name, into, name) {
        // The number of a file's names is limited.
        Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {
            let (mut source, mut copy) = (from.file(name)?, into.new_file(name, 0o600)?);
            io::copy(&mut source, &mut copy)?;
            copy.set_permissions(source.metadata()?.permissions())
        }
        linked => linked,
    }
}

#[cfg(test)]
mod tests;
