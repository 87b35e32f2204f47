//! `[file_systems]`: the folders of this machine that stand for file systems, by the ARN of their access point.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use sandbox::ShareUser;
use serde::{Deserialize, Serialize};

/// One of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FileSystem {
    /// The folder: absolute, without symbolic links.
    pub(crate) path: PathBuf,
    /// Whether functions may not write to it.
    pub(crate) read_only: bool,
    /// The user as whom functions read and write; the folder's own if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<u32>,
    /// The group, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gid: Option<u32>,
    /// Whether the file system's server makes all users one, as NFS does with `all_squash`.
    pub(crate) unmapped: bool,
}

impl FileSystem {
    /// The worker's setting; refuses what would fail at every invoke. A missing folder
    /// is not an error: it may be mounted later.
    pub(crate) fn folder(&self, arn: &str) -> anyhow::Result<worker::Folder> {
        let folder = self.checked(arn);
        folder.with_context(|| format!("file_systems.\"{arn}\""))
    }

    fn checked(&self, arn: &str) -> anyhow::Result<worker::Folder> {
        if !is_access_point(arn) {
            bail!("not the ARN of an access point");
        }
        let path = &self.path;
        let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
        if !path.is_absolute() || path == Path::new("/") || !path.components().all(plain) {
            bail!(
                "path: {} is not the absolute path of a folder",
                path.display()
            );
        }
        if let Ok(real) = path.canonicalize()
            && real != *path
        {
            bail!(
                "path: {} leads through a symbolic link to {}; name that",
                path.display(),
                real.display()
            );
        }
        let user = match (self.uid, self.gid, self.unmapped) {
            (Some(0), _, _) | (_, Some(0), _) => bail!("uid and gid: functions are never root"),
            (Some(user), Some(group), false) => ShareUser::Numbers { user, group },
            (None, None, false) => ShareUser::Owner,
            (None, None, true) => ShareUser::Unmapped,
            _ => bail!("uid and gid: both or neither, and not with unmapped"),
        };
        Ok(worker::Folder {
            path: path.clone(),
            read_only: self.read_only,
            user,
        })
    }
}

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:…access-point/…`.
fn is_access_point(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [arn, _, service, region, account, resource] = parts.as_slice() else {
        return false;
    };
    *arn == "arn"
        && matches!(*service, "elasticfilesystem" | "s3files")
        && !region.is_empty()
        && types::AccountId::new(account).is_ok()
        && resource.contains("access-point/fsap-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str =
        "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0";

    fn read(text: &str) -> anyhow::Result<worker::Folder> {
        toml::from_str::<FileSystem>(text)?.folder(ARN)
    }

    fn refused(text: &str, named: &str) {
        let error = format!("{:#}", read(text).unwrap_err());
        assert!(error.contains(named), "{error}");
    }

    #[test]
    fn a_folder_is_its_owners_unless_said_otherwise() {
        let user = |text: &str| read(text).unwrap().user;
        assert_eq!(user("path = '/srv/a'"), ShareUser::Owner);
        assert_eq!(
            user("path = '/srv/a'\nuid = 7\ngid = 8"),
            ShareUser::Numbers { user: 7, group: 8 }
        );
        assert_eq!(
            user("path = '/srv/a'\nunmapped = true"),
            ShareUser::Unmapped
        );
        assert!(read("path = '/srv/a'\nread_only = true").unwrap().read_only);
    }

    #[test]
    fn what_could_not_work_is_refused() {
        refused("", "path");
        refused("path = 'srv'", "absolute");
        refused("path = '/'", "absolute");
        refused("path = '/srv/../etc'", "absolute");
        refused("path = '/srv'\nuid = 7", "both or neither");
        refused("path = '/srv'\nuid = 0\ngid = 0", "never root");
        refused(
            "path = '/srv'\nuid = 7\ngid = 7\nunmapped = true",
            "not with unmapped",
        );
        refused("path = '/srv'\nreadonly = true", "readonly");
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().canonicalize().unwrap().join("link");
        std::os::unix::fs::symlink("/usr", &link).unwrap();
        refused(
            &format!("path = '{}'", link.display()),
            "leads through a symbolic link to /usr",
        );
    }

    #[test]
    fn only_access_points_are_file_systems() {
        assert!(is_access_point(ARN));
        for arn in [
            "",
            "a",
            "arn:aws:s3:::b",
            "arn:aws:elasticfilesystem:us-east-1:1:access-point/fsap-0",
        ] {
            assert!(!is_access_point(arn), "{arn}");
        }
    }
}
