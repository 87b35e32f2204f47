//! The one secret of an installation: 32 random bytes in a file only we can read. Keys for each
//! purpose are derived from it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use ring::hmac;
use types::Random;

const BYTES: usize = 32;

/// See the module.
pub struct MasterSecret([u8; BYTES]);

impl MasterSecret {
    /// Reads the file, or makes it with mode 0600 if it is not there. Several processes may do so
    /// at once: all get the same. A file of another length, or that others may read, is an error.
    pub fn open(path: &Path, random: &dyn Random) -> io::Result<Self> {
        match Self::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::make(path, random)?;
                Self::read(path)
            }
            found => found,
        }
    }

    /// Around bytes kept elsewhere.
    pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// The key for one purpose.
    pub fn derive(&self, purpose: &str) -> [u8; BYTES] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, purpose.as_bytes());
        tag.as_ref()
            .try_into()
            .expect("HMAC-SHA-256 makes 32 bytes")
    }

    fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            let problem = format!(
                "{} may be read by others: its mode must be 600",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
        let mut bytes = Vec::with_capacity(BYTES + 1);
        (&file).take(BYTES as u64 + 1).read_to_end(&mut bytes)?;
        let bytes = bytes.try_into().map_err(|_| {
            let problem = format!("{} is not a secret of {BYTES} bytes", path.display());
            io::Error::new(io::ErrorKind::InvalidData, problem)
        })?;
        Ok(Self(bytes))
    }

    /// Written aside and linked into place, so that nobody ever reads half a secret.
    fn make(path: &Path, random: &dyn Random) -> io::Result<()> {
        let mut bytes = [0; BYTES];
        random.fill(&mut bytes);
        let aside = path.with_extension(format!("{:016x}.new", random.next_u64()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| match fs::hard_link(&aside, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
        fs::remove_file(&aside)?;
        linked?;
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use types::SystemRandom;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_only_for_us() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let first = MasterSecret::open(&path, &SystemRandom).unwrap();
        let second = MasterSecret::open(&path, &SystemRandom).unwrap();
        assert_eq!(first.0, second.0);
        assert_ne!(first.derive("a"), first.derive("b"));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_or_open_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, [0; 31]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(MasterSecret::open(&path, &SystemRandom).is_err());
        fs::write(&path, [0; 32]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(MasterSecret::open(&path, &SystemRandom).is_err());
    }
}
