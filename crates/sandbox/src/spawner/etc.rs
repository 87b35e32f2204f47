//! The `/etc` of a root: written for sandboxes, with the few files copied that programs need.
//!
//! Never the host's users, passwords, keys or configuration. What is copied is readable by everyone on
//! the host anyway; what isn't is skipped, so that a mistake in the list reveals nothing.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

/// Where the copied part comes from.
pub(super) enum Source {
    /// The host's: only [`HOST_FILES`].
    Host,
    /// An image's, as a whole: it was made to be given to functions.
    Image(PathBuf),
}

/// What is copied of the host's `/etc`, by the start of the name of its first two levels: the dynamic
/// loader's, time zone, certificate authorities, alternatives (`/usr/bin/java` is one), and what
/// language packages link to from `/usr`.
const HOST_FILES: &[&str] = &[
    "ld.so.cache",
    "ld.so.conf",
    "localtime",
    "timezone",
    "ssl/certs",
    "ssl/openssl.cnf",
    "ca-certificates",
    "pki",
    "crypto-policies",
    "alternatives",
    "java-",
    "python3",
    "mime.types",
    "protocols",
    "services",
    "os-release",
    "debian_version",
];

/// The largest file copied: a bundle of authorities has some 200 KiB.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// The most bytes copied in all; the root in memory has 64 MiB.
const BYTES_MAX: u64 = 24 << 20;
/// How deep folders are followed.
const DEPTH_MAX: u32 = 8;

/// What every root gets, whatever else it has. The user's name and numbers are Lambda's.
const WRITTEN: &[(&str, &str)] = &[
    (
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\n\
         sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n",
    ),
    (
        "group",
        "root:x:0:\nsbx_user1051:x:990:\nnogroup:x:65534:\n",
    ),
    (
        "hosts",
        "127.0.0.1 localhost localhost.localdomain\n\
         127.0.0.1 sandbox.localdomain sandbox\n\
         ::1 localhost localhost.localdomain\n",
    ),
    (
        "nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n\
         protocols: files\n",
    ),
];

/// Fills `folder`, which exists and is empty.
pub(super) fn write(folder: &Path, source: &Source, resolvers: &[Ipv4Addr]) -> io::Result<()> {
    let mut copying = Copying {
        bytes_left: BYTES_MAX,
    };
    match source {
        Source::Host => copying.copy_listed(Path::new("/etc"), folder, "", 0)?,
        // A link would lead to the host's.
        Source::Image(etc) if fs::symlink_metadata(etc).is_ok_and(|etc| etc.is_dir()) => {
            copying.copy_folder(etc, folder, 0)?;
        }
        Source::Image(_) => {}
    }
    let servers: String = resolvers
        .iter()
        .map(|address| format!("nameserver {address}\n"))
        .collect();
    for (name, text) in WRITTEN.iter().chain(&[("resolv.conf", servers.as_str())]) {
        let path = folder.join(name);
        // It may be a link of the image's to somewhere.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::write(path, text)?,
        }
    }
    Ok(())
}

struct Copying {
    bytes_left: u64,
}

impl Copying {
    /// Copies what [`HOST_FILES`] names, one level after the other.
    fn copy_listed(&mut self, from: &Path, to: &Path, prefix: &str, depth: u32) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            let Some(text) = name.to_str() else { continue };
            let path = format!("{prefix}{text}");
            if HOST_FILES.iter().any(|listed| path.starts_with(listed)) {
                self.copy(&from.join(&name), &to.join(&name), depth + 1)?;
            } else if HOST_FILES
                .iter()
                .any(|listed| listed.starts_with(&format!("{path}/")))
            {
                fs::create_dir(to.join(&name))?;
                self.copy_listed(
                    &from.join(&name),
                    &to.join(&name),
                    &format!("{path}/"),
                    depth + 1,
                )?;
            }
        }
        Ok(())
    }

    fn copy_folder(&mut self, from: &Path, to: &Path, depth: u32) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            self.copy(&from.join(&name), &to.join(&name), depth + 1)?;
        }
        Ok(())
    }

    fn copy(&mut self, from: &Path, to: &Path, depth: u32) -> io::Result<()> {
        let metadata = fs::symlink_metadata(from)?;
        let readable_by_all = metadata.mode() & 0o004 != 0;
        if metadata.is_symlink() {
            symlink(fs::read_link(from)?, to)?;
        } else if metadata.is_dir() && readable_by_all && depth < DEPTH_MAX {
            fs::create_dir(to)?;
            self.copy_folder(from, to, depth)?;
        } else if metadata.is_file()
            && readable_by_all
            && metadata.len() <= FILE_BYTES_MAX.min(self.bytes_left)
        {
            self.bytes_left -= metadata.len();
            fs::copy(from, to)?;
        }
        Ok(())
    }
}
