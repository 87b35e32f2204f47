//! From the file systems of a function to the folders of this machine that stand for them. Pure.

use std::collections::BTreeMap;
use std::io;

use api::worker::FileSystemError;
use records::functions::FileSystem;
use sandbox::Share;

use crate::config::Folder;

/// Where functions see their file systems; the model's pattern lets nothing else in.
const MOUNTS: &str = "/mnt/";

/// What the sandbox of a function with these file systems shows.
pub(crate) fn shares(
    systems: &[FileSystem],
    folders: &BTreeMap<String, Folder>,
) -> Result<Vec<Share>, FileSystemError> {
    let share = |system: &FileSystem| {
        let folder = folders.get(&system.arn)?;
        Some(Share {
            name: system.mount_path.strip_prefix(MOUNTS)?.to_owned(),
            folder: folder.path.clone(),
            read_only: folder.read_only,
            user: folder.user,
        })
    };
    let shares = systems.iter().map(|system| {
        share(system).ok_or_else(|| FileSystemError::Failure {
            arn: system.arn.clone(),
        })
    });
    shares.collect()
}

/// What it is called that the sandbox could not show the share of this name.
pub(crate) fn failure(name: &str, why: &io::Error, systems: &[FileSystem]) -> FileSystemError {
    let named = |system: &&FileSystem| system.mount_path.strip_prefix(MOUNTS) == Some(name);
    let system = systems.iter().find(named);
    let arn = system.map_or_else(String::new, |system| system.arn.clone());
    match why.kind() {
        io::ErrorKind::TimedOut => FileSystemError::Timeout { arn },
        io::ErrorKind::NotConnected
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::StaleNetworkFileHandle => FileSystemError::Connectivity { arn },
        _ => FileSystemError::Failure { arn },
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use sandbox::ShareUser;

    use super::*;

    fn system(arn: &str, mount_path: &str) -> FileSystem {
        FileSystem {
            arn: arn.to_owned(),
            mount_path: mount_path.to_owned(),
        }
    }

    #[test]
    fn a_file_system_is_the_folder_of_its_access_point() {
        let folder = Folder {
            path: PathBuf::from("/srv/a"),
            read_only: true,
            user: ShareUser::Owner,
        };
        let folders = BTreeMap::from([("a".to_owned(), folder)]);
        let found = shares(&[system("a", "/mnt/x")], &folders).unwrap();
        let expected = Share {
            name: "x".to_owned(),
            folder: PathBuf::from("/srv/a"),
            read_only: true,
            user: ShareUser::Owner,
        };
        assert_eq!(found, [expected]);
        assert_eq!(shares(&[], &folders), Ok(vec![]));
        let failure = |arn: &str| Err(FileSystemError::Failure { arn: arn.into() });
        assert_eq!(shares(&[system("b", "/mnt/x")], &folders), failure("b"));
        assert_eq!(shares(&[system("a", "/srv/x")], &folders), failure("a"));
    }

    #[test]
    fn failures_are_told_apart_by_what_the_kernel_said() {
        let systems = [system("a", "/mnt/x"), system("b", "/mnt/y")];
        let check = |kind: io::ErrorKind, expected: FileSystemError| {
            assert_eq!(failure("y", &kind.into(), &systems), expected);
        };
        let arn = || "b".to_owned();
        check(
            io::ErrorKind::NotFound,
            FileSystemError::Failure { arn: arn() },
        );
        check(
            io::ErrorKind::TimedOut,
            FileSystemError::Timeout { arn: arn() },
        );
        check(
            io::ErrorKind::StaleNetworkFileHandle,
            FileSystemError::Connectivity { arn: arn() },
        );
    }
}
