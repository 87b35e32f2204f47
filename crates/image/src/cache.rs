//! The folder of unpacked packages.
//!
//! A package is unpacked into a fresh folder that is then renamed to its place, so that a reader
//! never sees half of one. Nothing here is fsynced: after a power loss a renamed folder may lack
//! data, so the cache is emptied whenever the machine has booted since it was filled.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// Changes with every boot of the kernel.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How the files' names end that say of which packages a folder was made. Its files are those of
/// the packages' own folders, so that it holds on to their room.
const NOTE: &str = ".of";

pub(crate) struct Cache {
    root: PathBuf,
    next: AtomicU64,
}

impl Cache {
    pub(crate) fn open(root: PathBuf) -> Result<Self, Error> {
        let open = || -> io::Result<()> {
            // Others may pass through (the function's user must reach its code), not look around.
            // The folder itself is never replaced: sandboxes hold it.
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o711)
                .create(&root)?;
            let boot = fs::read_to_string(BOOT_ID)?;
            let marker = root.join("boot-id");
            let same_boot = fs::read_to_string(&marker).ok().as_deref() == Some(boot.as_str());
            for entry in fs::read_dir(&root)? {
                let entry = entry?;
                // What is called new a killed run has left half done.
                let half_done = entry.file_name().to_string_lossy().starts_with("new-");
                if entry.file_type()?.is_dir() && (half_done || !same_boot) {
                    remove(&entry.path())?;
                } else if !same_boot && entry.path() != marker {
                    fs::remove_file(entry.path())?;
                }
            }
            fs::write(&marker, boot)
        };
        open().map_err(|source| at(&root, source))?;
        Ok(Self {
            root,
            next: AtomicU64::new(0),
        })
    }

    /// The package's folder, if it is here.
    pub(crate) fn get(&self, image: &str) -> Option<PathBuf> {
        let folder = self.root.join(image);
        folder.is_dir().then_some(folder)
    }

    /// Makes the package's folder by `unpack`. Two at once do the work twice; one of them wins.
    pub(crate) fn fill(
        &self,
        image: &str,
        unpack: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let fresh = self.root.join(format!("new-{number}"));
        fs::DirBuilder::new()
            .mode(0o755)
            .create(&fresh)
            .map_err(|e| at(&fresh, e))?;
        let place = self.root.join(image);
        let filled = unpack(&fresh).and_then(|()| match fs::rename(&fresh, &place) {
            Err(error) if !place.is_dir() => Err(at(&place, error)),
            _ => Ok(()),
        });
        // Still there if unpacking failed or another was first.
        remove(&fresh).map_err(|e| at(&fresh, e))?;
        filled.map(|()| place)
    }

    /// Notes of which packages the folder `name` is to be made.
    pub(crate) fn note(&self, name: &str, images: &[String]) -> Result<(), Error> {
        let note = self.root.join(format!("{name}{NOTE}"));
        fs::write(&note, images.join("\n")).map_err(|e| at(&note, e))
    }

    /// Removes a package's folder and those that were made of it and others, if they are here: a
    /// reader finds each whole or not at all.
    pub(crate) fn remove(&self, image: &str) -> Result<(), Error> {
        self.remove_folder(image)?;
        let notes = || -> io::Result<Vec<PathBuf>> {
            let entries = fs::read_dir(&self.root)?.map(|entry| Ok(entry?.path()));
            let is_note = |path: &PathBuf| path.to_str().is_some_and(|path| path.ends_with(NOTE));
            entries
                .filter(|path| path.as_ref().map_or(true, is_note))
                .collect()
        };
        for note in notes().map_err(|e| at(&self.root, e))? {
            let images = fs::read_to_string(&note).map_err(|e| at(&note, e))?;
            let folder = note.file_stem().and_then(|name| name.to_str());
            if let Some(folder) = folder.filter(|_| images.lines().any(|line| line == image)) {
                self.remove_folder(folder)?;
                fs::remove_file(&note).map_err(|e| at(&note, e))?;
            }
        }
        Ok(())
    }

    fn remove_folder(&self, image: &str) -> Result<(), Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (place, aside) = (
            self.root.join(image),
            self.root.join(format!("new-{number}")),
        );
        match fs::rename(&place, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed.map_err(|e| at(&place, e))?,
        }
        remove(&aside).map_err(|e| at(&aside, e))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn at(path: &Path, source: io::Error) -> Error {
    Error::Cache {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_fails_or_is_removed_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path().join("c")).unwrap();
        let failed = cache.fill("aa", |_| Err(Error::TooLarge { limit: 1 }));
        assert!(failed.is_err());
        assert!(cache.get("aa").is_none());
        let filled = cache.fill("aa", |folder| {
            fs::write(folder.join("x"), "1").unwrap();
            Ok(())
        });
        assert_eq!(filled.unwrap(), cache.get("aa").unwrap());
        // A second one finds it taken and is content.
        assert!(cache.fill("aa", |_| Ok(())).is_ok());
        assert!(cache.get("aa").unwrap().join("x").exists());
        for _ in 0..2 {
            cache.remove("aa").unwrap();
            assert!(cache.get("aa").is_none());
        }
        let left = fs::read_dir(root.path().join("c")).unwrap().count();
        assert_eq!(left, 1, "the boot's id alone");
    }

    #[test]
    fn what_was_made_of_a_package_goes_with_it() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path().join("c")).unwrap();
        for (name, of) in [("ab", "a b"), ("bc", "b c"), ("aab", "aa b")] {
            let of: Vec<String> = of.split(' ').map(str::to_owned).collect();
            cache.note(name, &of).unwrap();
            cache.fill(name, |_| Ok(())).unwrap();
        }
        cache.note("never-made", &["a".to_owned()]).unwrap();
        cache.remove("a").unwrap();
        let there = ["ab", "bc", "aab"].map(|name| cache.get(name).is_some());
        assert_eq!(there, [false, true, true]);
        cache.remove("b").unwrap();
        let left = fs::read_dir(root.path().join("c")).unwrap().count();
        assert_eq!(left, 1, "the boot's id alone");
    }

    #[test]
    fn a_cache_from_before_the_last_boot_is_emptied() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("c");
        let cache = Cache::open(path.clone()).unwrap();
        cache.fill("aa", |_| Ok(())).unwrap();
        cache.note("aa", &[]).unwrap();
        assert!(Cache::open(path.clone()).unwrap().get("aa").is_some());
        fs::write(path.join("boot-id"), "another").unwrap();
        assert!(Cache::open(path.clone()).unwrap().get("aa").is_none());
        assert_eq!(fs::read_dir(path).unwrap().count(), 1);
    }
}
