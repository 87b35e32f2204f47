//! A host's files: who it is, and whom it trusts.
//!
//! ```text
//!   authority.pem   the cluster's authority
//!   host.pem        this host's certificate, replaced when it is renewed
//!   host.key        its private key
//! ```
//!
//! Each is written whole or not at all, and read by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// See the module.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// What is in it.
#[derive(Clone)]
pub struct Files {
    /// Whom this host trusts, PEM.
    pub authorities: String,
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: String,
}

const AUTHORITY: &str = "authority.pem";
const CERTIFICATE: &str = "host.pem";
const KEY: &str = "host.key";

impl Folder {
    /// One that exists.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes it, for its owner alone. One that exists already must be empty.
    pub fn make(path: &Path) -> io::Result<Self> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read_dir(path)?.next().is_some() {
                    let problem = format!("{} is not empty", path.display());
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
                }
            }
            made => made?,
        }
        Ok(Self::at(path))
    }

    /// Reads who this host is.
    pub fn read(&self) -> io::Result<Files> {
        let read = |name: &str| {
            let path = self.0.join(name);
            fs::read_to_string(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })
        };
        Ok(Files {
            authorities: read(AUTHORITY)?,
            certificate: read(CERTIFICATE)?,
            key: read(KEY)?,
        })
    }

    /// Writes who this host is. The certificate comes last: a folder that has it has everything.
    pub fn write(&self, files: &Files) -> io::Result<()> {
        self.put(AUTHORITY, files.authorities.as_bytes())?;
        self.put(KEY, files.key.as_bytes())?;
        self.put(CERTIFICATE, files.certificate.as_bytes())
    }

    /// Replaces the certificate by the next one for the same key.
    pub(crate) fn renew(&self, certificate: &str, authorities: &str) -> io::Result<()> {
        self.put(AUTHORITY, authorities.as_bytes())?;
        self.put(CERTIFICATE, certificate.as_bytes())
    }

    /// Writes a file of it: in a file next to it first, so that nobody reads half of it.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // Several processes of a host may do so at once.
        let aside = self.0.join(format!("{name}.{}.new", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&aside, self.0.join(name)));
        if let Err(error) = written {
            let _ = fs::remove_file(&aside);
            return Err(error);
        }
        File::open(&self.0)?.sync_all()
    }
}
