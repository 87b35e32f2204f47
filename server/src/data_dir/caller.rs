//! The user who started the server with sudo, and how they get the root key's file.
//!
//! ```text
//!   ~you/project          yours, or nothing is done
//!   └─ lambent-data/      root's, closed to others ──▶ your group may pass through (0710)
//!      ├─ credentials     root's, 0600             ──▶ yours, 0600
//!      └─ ...             as it was
//! ```
//!
//! The folder stays root's: a user who may write in it could put links where the server, as root, writes.
//! Everything is checked and changed by descriptor, and no link is followed: what was checked is
//! what is given.

use std::fs::{File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::{CREDENTIALS, CREDENTIALS_BYTES_MAX, RootKey};

/// The user who called sudo.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Caller {
    uid: u32,
    gid: u32,
}

/// Why the file is not given away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// Something could not be checked or changed.
    #[error("the data folder or its credentials cannot be read or changed")]
    Io(#[from] io::Error),
    /// It may be a system's own server, of which sudo's caller is but the operator.
    #[error("neither the data folder nor the folder around it is the caller's")]
    NotTheirs,
    /// Somebody else has arranged who may do what there.
    #[error("the data folder is open to others, or belongs to another user")]
    Arranged,
    /// Not what this server writes.
    #[error(
        "the credentials are not a file that belongs to root, has a single name and is closed to others"
    )]
    Strange,
}

impl Caller {
    /// By what sudo tells in its variables. `None` for root itself and where sudo was not used.
    pub(crate) fn of(variables: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let number = |name| variables(name)?.parse::<u32>().ok();
        let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
        // The highest number means "nobody in particular" to the kernel.
        let is_somebody = uid != 0 && uid != u32::MAX && gid != u32::MAX;
        (rustix::process::geteuid().is_root() && is_somebody).then_some(Self { uid, gid })
    }

    /// Makes the credentials in this folder the caller's, if the folder is in their place. Harmless
    /// twice.
    pub(crate) fn receive_credentials(self, folder: &Path) -> Result<(), Refused> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = rustix::fs::open(folder, flags | OFlags::DIRECTORY, Mode::empty());
        let folder = File::from(open.map_err(io::Error::from)?);
        // A pipe in its place must not be waited for.
        let file = rustix::fs::openat(
            &folder,
            CREDENTIALS,
            flags | OFlags::NONBLOCK,
            Mode::empty(),
        );
        let file = File::from(file.map_err(io::Error::from)?);
        let around = rustix::fs::statat(&folder, "..", AtFlags::SYMLINK_NOFOLLOW);
        let around = around.map_err(io::Error::from)?.st_uid;
        let owner = folder.metadata()?.uid();
        if around != self.uid && owner != self.uid {
            return Err(Refused::NotTheirs);
        }
        // Everything is checked before anything is changed.
        let (is_theirs, may_pass) = (self.has(&file)?, self.passes(&folder)?);
        if !is_theirs {
            fchown(&file, Some(self.uid), Some(self.gid))?;
        }
        if !may_pass {
            // The group first: it may do nothing yet.
            fchown(&folder, None, Some(self.gid))?;
            let mode = folder.metadata()?.mode() & 0o7777;
            folder.set_permissions(Permissions::from_mode(mode | 0o010))?;
        }
        Ok(())
    }

    /// Whether the file is theirs already; an error if it may not become so.
    fn has(self, file: &File) -> Result<bool, Refused> {
        let found = file.metadata()?;
        if found.uid() == self.uid {
            return Ok(true);
        }
        let ours = found.is_file()
            && found.uid() == 0
            && found.nlink() == 1
            && found.mode() & 0o077 == 0
            && holds_a_key(file)?;
        if ours {
            Ok(false)
        } else {
            Err(Refused::Strange)
        }
    }

    /// Whether they come through the folder already; an error if they may not be let through.
    fn passes(self, folder: &File) -> Result<bool, Refused> {
        let found = folder.metadata()?;
        let mode = found.mode();
        let of_group = found.gid() == self.gid && mode & 0o010 != 0;
        if found.uid() == self.uid || mode & 0o001 != 0 || of_group {
            return Ok(true);
        }
        let closed = found.uid() == 0 && mode & 0o077 == 0;
        if closed {
            Ok(false)
        } else {
            Err(Refused::Arranged)
        }
    }
}

/// Whether a file is what this server wrote: nothing else is given to anybody.
fn holds_a_key(file: &File) -> io::Result<bool> {
    let mut text = String::new();
    match file.take(CREDENTIALS_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => Ok(RootKey::parse(&text).is_ok()),
        // Bytes that are not UTF-8.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown, symlink};
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    const THEM: Caller = Caller {
        uid: 54_321,
        gid: 54_322,
    };
    const KEY: &str =
        "[default]\naws_access_key_id = AKIAX\naws_secret_access_key = s\nregion = us-east-1\n";

    /// A folder of theirs with a data folder of root's in it. `None` for a user who is not root: sudo
    /// has nothing to hand over then.
    fn place() -> Option<(TempDir, PathBuf)> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let around = tempfile::tempdir().unwrap();
        chown(around.path(), Some(THEM.uid), Some(THEM.gid)).unwrap();
        let data = around.path().join("data");
        fs::DirBuilder::new().mode(0o700).create(&data).unwrap();
        write(&data.join(CREDENTIALS), KEY);
        write(&data.join("secret"), "not for them");
        Some((around, data))
    }

    fn write(path: &Path, text: &str) {
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
    }

    /// Owner, group and mode.
    fn look(path: &Path) -> (u32, u32, u32) {
        let found = fs::symlink_metadata(path).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777)
    }

    #[test]
    fn sudos_caller_is_known_by_its_variables() {
        let check = |uid: &str, gid: &str, expected: Option<Caller>| {
            let expected = expected.filter(|_| rustix::process::geteuid().is_root());
            let of = Caller::of(|name| match name {
                "SUDO_UID" => Some(uid.to_owned()),
                "SUDO_GID" => Some(gid.to_owned()),
                _ => None,
            });
            assert_eq!(of, expected, "{uid} {gid}");
        };
        check("54321", "54322", Some(THEM));
        check("0", "0", None);
        check("4294967295", "1", None);
        check("1", "4294967295", None);
        for bad in ["", "-1", "me", "1 ", "99999999999"] {
            check(bad, "1", None);
            check("1", bad, None);
        }
        assert_eq!(Caller::of(|_| None), None);
    }

    #[test]
    fn they_get_the_credentials_and_nothing_else() {
        let Some((_around, data)) = place() else {
            return;
        };
        for _ in 0..2 {
            THEM.receive_credentials(&data).unwrap();
            assert_eq!(look(&data.join(CREDENTIALS)), (THEM.uid, THEM.gid, 0o600));
            assert_eq!(look(&data.join("secret")), (0, 0, 0o600));
            // Passed through, neither listed nor written by them; nothing at all by others.
            assert_eq!(look(&data), (0, THEM.gid, 0o710));
        }
    }

    #[test]
    fn what_is_not_in_their_place_stays_roots() {
        let Some((around, data)) = place() else {
            return;
        };
        chown(around.path(), Some(0), Some(0)).unwrap();
        let refused = THEM.receive_credentials(&data);
        assert!(matches!(refused, Err(Refused::NotTheirs)), "{refused:?}");
        assert_eq!(look(&data.join(CREDENTIALS)), (0, 0, 0o600));
        assert_eq!(look(&data), (0, 0, 0o700));
        // A data folder that was made theirs is their place too.
        chown(&data, Some(THEM.uid), None).unwrap();
        THEM.receive_credentials(&data).unwrap();
        assert_eq!(look(&data.join(CREDENTIALS)), (THEM.uid, THEM.gid, 0o600));
        assert_eq!(look(&data), (THEM.uid, 0, 0o700));
    }

    #[test]
    fn links_and_strange_files_are_not_given() {
        let Some((around, data)) = place() else {
            return;
        };
        let (credentials, target) = (data.join(CREDENTIALS), around.path().join("roots"));
        write(&target, KEY);
        let refuse = |what: &str| {
            let refused = THEM.receive_credentials(&data);
            assert!(refused.is_err(), "{what}");
            assert_eq!(look(&target), (0, 0, 0o600), "{what}");
            fs::remove_file(&credentials).unwrap();
        };
        fs::remove_file(&credentials).unwrap();
        symlink(&target, &credentials).unwrap();
        refuse("a symbolic link");
        fs::hard_link(&target, &credentials).unwrap();
        refuse("a second name of another file");
        write(&credentials, "root's diary\n");
        refuse("no key");
        fs::write(&credentials, b"\xff\xfe").unwrap();
        refuse("no text");
        write(&credentials, KEY);
        fs::set_permissions(&credentials, Permissions::from_mode(0o640)).unwrap();
        refuse("open to others already");
        write(&credentials, KEY);
        chown(&credentials, Some(THEM.uid + 1), None).unwrap();
        refuse("somebody else's");
        let pipe = std::process::Command::new("mkfifo")
            .arg(&credentials)
            .status();
        assert!(pipe.unwrap().success());
        refuse("a pipe");
        assert!(THEM.receive_credentials(&data).is_err(), "nothing there");
        assert_eq!(look(&data), (0, 0, 0o700));
    }

    #[test]
    fn a_folder_behind_a_link_is_not_looked_into() {
        let Some((around, data)) = place() else {
            return;
        };
        let link = around.path().join("link");
        symlink(&data, &link).unwrap();
        assert!(THEM.receive_credentials(&link).is_err());
        assert_eq!(look(&data.join(CREDENTIALS)), (0, 0, 0o600));
    }

    #[test]
    fn a_folder_that_others_may_use_keeps_its_rights() {
        let Some((_around, data)) = place() else {
            return;
        };
        fs::set_permissions(&data, Permissions::from_mode(0o750)).unwrap();
        let refused = THEM.receive_credentials(&data);
        assert!(matches!(refused, Err(Refused::Arranged)), "{refused:?}");
        assert_eq!(look(&data), (0, 0, 0o750));
    }
}
