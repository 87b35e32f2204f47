//! The file of the keys, the newest first: read whole, replaced whole, and readable by us only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use types::Random;

use crate::master::{BYTES, KeyId, MasterKey};

/// The most keys that are kept: one more requires that old ones are retired first.
pub(crate) const KEYS_MAX: usize = 16;

/// Reads the file; one of an unexpected length, or that others may read, is an error.
pub(crate) fn read(path: &Path) -> io::Result<Vec<MasterKey>> {
    read_open(path, &File::open(path)?)
}

fn read_open(path: &Path, file: &File) -> io::Result<Vec<MasterKey>> {
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        let problem = format!(
            "{} may be read by others: its mode must be 600",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    let mut bytes = Vec::with_capacity(BYTES + 1);
    let most = (KEYS_MAX * BYTES) as u64 + 1;
    file.take(most).read_to_end(&mut bytes)?;
    let (keys, rest) = bytes.as_chunks::<BYTES>();
    if keys.is_empty() || keys.len() > KEYS_MAX || !rest.is_empty() {
        let problem = format!(
            "{} is not 1 to {KEYS_MAX} secrets of {BYTES} bytes each",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(keys.iter().copied().map(MasterKey).collect())
}

/// Creates the file with one key if it does not exist. Several processes may do so at once: all get the
/// same.
pub(crate) fn make(path: &Path, random: &dyn Random) -> io::Result<()> {
    make_with(path, &[fresh(random)], random)
}

/// The same with these keys.
pub(crate) fn make_with(path: &Path, keys: &[MasterKey], random: &dyn Random) -> io::Result<()> {
    let aside = write_aside(path, keys, random)?;
    let linked = match fs::hard_link(&aside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    fs::remove_file(&aside)?;
    linked?;
    sync_folder(path)
}

/// Replaces the keys by what `change` makes of them. One process at a time does so, the others wait.
pub(crate) fn change<T>(
    path: &Path,
    random: &dyn Random,
    change: impl FnOnce(&mut Vec<MasterKey>) -> io::Result<T>,
) -> io::Result<T> {
    let file = locked(path)?;
    let mut keys = read_open(path, &file)?;
    let result = change(&mut keys)?;
    let aside = write_aside(path, &keys, random)?;
    let owner = file.metadata()?;
    let given = chown(&aside, Some(owner.uid()), Some(owner.gid()));
    if let Err(error) = given.and_then(|()| fs::rename(&aside, path)) {
        fs::remove_file(&aside)?;
        return Err(error);
    }
    sync_folder(path)?;
    Ok(result)
}

/// The file that notes by which key everything is sealed.
fn settled(path: &Path) -> PathBuf {
    path.with_extension("settled")
}

/// Notes that everything is sealed by that key.
pub(crate) fn note_settled(path: &Path, id: KeyId, random: &dyn Random) -> io::Result<()> {
    let aside = path.with_extension(format!("{:016x}.new", random.next_u64()));
    fs::write(&aside, id.to_string())?;
    fs::rename(&aside, settled(path))
}

/// It is not known any more by which key everything is sealed.
pub(crate) fn forget_settled(path: &Path) -> io::Result<()> {
    match fs::remove_file(settled(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(path),
    }
}

/// Whether everything is sealed by that key.
pub(crate) fn is_settled(path: &Path, id: KeyId) -> io::Result<bool> {
    match fs::read_to_string(settled(path)) {
        Ok(noted) => Ok(noted == id.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A new random key.
pub(crate) fn fresh(random: &dyn Random) -> MasterKey {
    let mut bytes = [0; BYTES];
    random.fill(&mut bytes);
    MasterKey(bytes)
}

/// The file that is at `path` now, locked: the previous holder of the lock may have replaced it.
fn locked(path: &Path) -> io::Result<File> {
    loop {
        let file = File::open(path)?;
        file.lock()?;
        let (ours, there) = (file.metadata()?, fs::metadata(path)?);
        if (ours.dev(), ours.ino()) == (there.dev(), there.ino()) {
            return Ok(file);
        }
    }
}

/// Writes a separate file first, so that nobody ever reads half of it.
fn write_aside(path: &Path, keys: &[MasterKey], random: &dyn Random) -> io::Result<PathBuf> {
    let aside = path.with_extension(format!("{:016x}.new", random.next_u64()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)?;
    let bytes: Vec<u8> = keys.iter().flat_map(|key| key.0).collect();
    if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_all()) {
        fs::remove_file(&aside)?;
        return Err(error);
    }
    Ok(aside)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use types::SystemRandom;

    use super::*;

    #[test]
    fn the_file_is_made_once_and_only_for_us() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        make(&path, &SystemRandom).unwrap();
        let first = read(&path).unwrap();
        make(&path, &SystemRandom).unwrap();
        assert_eq!(read(&path).unwrap(), first);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_or_open_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for bytes in [0, 31, 33, 63, (KEYS_MAX + 1) * BYTES] {
            fs::write(&path, vec![0; bytes]).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(read(&path).is_err(), "{bytes} bytes");
        }
        fs::write(&path, [0; 32]).unwrap();
        assert!(read(&path).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn changes_at_once_come_one_after_the_other_and_leave_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        make(&path, &SystemRandom).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    let put = |keys: &mut Vec<MasterKey>| {
                        keys.insert(0, fresh(&SystemRandom));
                        Ok(())
                    };
                    change(&path, &SystemRandom, put).unwrap();
                });
            }
        });
        assert_eq!(read(&path).unwrap().len(), 11);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let refused = change(&path, &SystemRandom, |keys| {
            keys.clear();
            Err::<(), _>(io::Error::other("no"))
        });
        assert!(refused.is_err());
        assert_eq!(read(&path).unwrap().len(), 11);
    }
}
