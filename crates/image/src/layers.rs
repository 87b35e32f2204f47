//! What a function finds at `/opt`: its layers, one over the other.
//!
//! Files are linked, not copied: a folder made of layers takes next to no room, and its files are
//! those of the layers' own folders. Nothing is ever written through a link that a layer brought:
//! only true folders are gone into, and whatever else is in the way is taken away first.

use std::fs::{self, DirBuilder, FileType};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Puts unpacked layers into one empty folder, in their order: what comes later takes the place of
/// what was there.
pub(crate) fn merge(layers: &[PathBuf], into: &Path) -> io::Result<()> {
    layers.iter().try_for_each(|layer| lay(layer, into))
}

/// Names what [`merge`] makes of these packages.
pub(crate) fn name(images: &[&str]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, images.join("/").as_bytes());
    let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("layers-{hex}")
}

fn lay(from: &Path, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), into.join(entry.file_name()));
        let kind = entry.file_type()?;
        let there = match fs::symlink_metadata(&target) {
            Ok(metadata) => Some(metadata.file_type()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if kind.is_dir() {
            if !there.is_some_and(|there| there.is_dir()) {
                take_away(&target, there)?;
                DirBuilder::new().mode(0o755).create(&target)?;
            }
            lay(&source, &target)?;
        } else {
            take_away(&target, there)?;
            put(&source, &target, kind)?;
        }
    }
    Ok(())
}

fn take_away(path: &Path, kind: Option<FileType>) -> io::Result<()> {
    match kind {
        None => Ok(()),
        Some(kind) if kind.is_dir() => fs::remove_dir_all(path),
        Some(_) => fs::remove_file(path),
    }
}

fn put(source: &Path, target: &Path, kind: FileType) -> io::Result<()> {
    if kind.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(source)?, target);
    }
    match fs::hard_link(source, target) {
        // A file can only have so many names.
        Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {
            fs::copy(source, target).map(drop)
        }
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A layer of files, links (`path -> target`) and folders (`path/`).
    fn layer(root: &Path, name: &str, entries: &[&str]) -> PathBuf {
        let folder = root.join(name);
        fs::create_dir(&folder).unwrap();
        for entry in entries {
            let (path, target) = entry.split_once(" -> ").unwrap_or((entry, ""));
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match target {
                "" if entry.ends_with('/') => fs::create_dir_all(&path).unwrap(),
                "" => fs::write(&path, name).unwrap(),
                target => symlink(target, &path).unwrap(),
            }
        }
        folder
    }

    fn merged(layers: &[&[&str]]) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = layers
            .iter()
            .enumerate()
            .map(|(at, entries)| layer(root.path(), &at.to_string(), entries))
            .collect();
        let into = root.path().join("into");
        fs::create_dir(&into).unwrap();
        merge(&folders, &into).unwrap();
        (root, into)
    }

    #[test]
    fn what_comes_later_counts() {
        let (_root, into) = merged(&[&["a", "b/c", "b/d"], &["b/c", "e"]]);
        let text = |path: &str| fs::read_to_string(into.join(path)).unwrap();
        assert_eq!(
            [text("a"), text("b/c"), text("b/d"), text("e")],
            ["0", "1", "0", "1"]
        );
    }

    #[test]
    fn folders_and_files_take_each_others_place() {
        let (_root, into) = merged(&[&["a/x", "b"], &["a", "b/x"]]);
        assert_eq!(fs::read_to_string(into.join("a")).unwrap(), "1");
        assert_eq!(fs::read_to_string(into.join("b/x")).unwrap(), "1");
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().to_str().unwrap();
        let victim = outside.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        let folder = format!("a -> {target}");
        let file = format!("b -> {target}/victim");
        let (_root, into) = merged(&[&[&folder, &file], &["a/new", "b"]]);
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        assert_eq!(fs::read_to_string(into.join("a/new")).unwrap(), "1");
        assert_eq!(fs::read_to_string(into.join("b")).unwrap(), "1");
    }

    #[test]
    fn the_layers_own_folders_stay_as_they_are() {
        let (root, into) = merged(&[&["a/x", "l -> a"], &["a/x", "l"]]);
        assert_eq!(fs::read_to_string(root.path().join("0/a/x")).unwrap(), "0");
        assert!(
            fs::symlink_metadata(root.path().join("0/l"))
                .unwrap()
                .is_symlink()
        );
        let mode = fs::metadata(into.join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn a_name_tells_the_order() {
        assert_eq!(name(&["a", "b"]), name(&["a", "b"]));
        assert_ne!(name(&["a", "b"]), name(&["b", "a"]));
    }
}
