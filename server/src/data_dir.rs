//! The folder where everything is kept.
//!
//! ```text
//!   lock           held by the one server that uses the folder
//!   credentials    the root access key, in AWS's shared-credentials format
//!   secret         master keys; secret.settled is which one seals all
//!   metadata.db    functions, versions, aliases, journals
//!   blobs/         code packages
//!   images/        code packages, unpacked (a cache)
//!   logs/          what functions print
//! ```

mod caller;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use data_encoding::HEXLOWER;
use types::{Random, Region};

use caller::Caller;

/// The root access key's file.
const CREDENTIALS: &str = "credentials";
/// The longest it may be, with room for comments.
const CREDENTIALS_BYTES_MAX: u64 = 64 << 10;

/// The folder, held.
pub(crate) struct DataDir {
    path: PathBuf,
    /// Locked until dropped, or until the process ends however it ends.
    _lock: File,
}

/// An access key in the form of AWS's shared credentials.
pub(crate) struct RootKey {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl DataDir {
    /// Makes the folder if need be and takes it. Nobody else may read what is in it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let describe = || format!("the data folder {} cannot be used", path.display());
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(describe)?;
        let path = path.canonicalize().with_context(describe)?;
        let mut options = File::options();
        let lock = options.create(true).truncate(false).write(true).mode(0o600);
        let lock = lock.open(path.join("lock")).with_context(describe)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => {
                bail!(
                    "the data folder {} is in use by another lambent",
                    path.display()
                )
            }
            Err(fs::TryLockError::Error(error)) => Err(error).with_context(describe),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A name for what this folder's servers own on the machine, the same for every run.
    pub(crate) fn tag(&self) -> String {
        let text = self.path.as_os_str().as_encoded_bytes();
        let digest = ring::digest::digest(&ring::digest::SHA256, text);
        HEXLOWER.encode(&digest.as_ref()[..6])
    }

    /// The first of 65 536 of the host's user numbers, chosen by the folder: far above those of
    /// people and of most container tools, below 2^31.
    pub(crate) fn first_uid(&self) -> u32 {
        const RANGES: u32 = 30_000;
        let text = self.path.as_os_str().as_encoded_bytes();
        let digest = ring::digest::digest(&ring::digest::SHA256, text);
        let bytes = digest.as_ref()[8..12].try_into().expect("four bytes");
        (u32::from_le_bytes(bytes) % RANGES + 2_000) * 65_536
    }

    /// Gives the root access key's file to the user who called sudo, if there is one and it is allowed: the commands that
    /// they run without sudo could not read it otherwise.
    pub(crate) fn hand_over_credentials(&self) {
        let Some(caller) = Caller::of(|name| std::env::var(name).ok()) else {
            return;
        };
        match caller.receive_credentials(&self.path) {
            Ok(()) => tracing::debug!("the credentials are the caller's"),
            Err(error) => tracing::info!(
                error = &error as &dyn std::error::Error,
                "the credentials stay readable by root only: clients that read them need sudo"
            ),
        }
    }
}

/// The root access key in a folder; made if there is none.
pub(crate) fn root_key(
    folder: &Path,
    region: &Region,
    random: &dyn Random,
) -> anyhow::Result<RootKey> {
    let path = folder.join(CREDENTIALS);
    if !path.exists() {
        let text = format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\nregion = {region}\n",
            key_id(random),
            key_secret(random)
        );
        write_secret(&path, &text)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    read_root_key(folder)
}

/// Reads the credentials file of a folder.
pub(crate) fn read_root_key(folder: &Path) -> anyhow::Result<RootKey> {
    let path = &folder.join(CREDENTIALS);
    let mut text = String::new();
    let read = File::open(path).and_then(|file| {
        let mut file = file.take(CREDENTIALS_BYTES_MAX);
        file.read_to_string(&mut text)
    });
    read.with_context(|| format!("{} cannot be read", path.display()))?;
    RootKey::parse(&text).map_err(|name| anyhow!("{} has no {name}", path.display()))
}

impl RootKey {
    /// The first of each value in the text of a credentials file. Or the name of what is missing.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let value = |name: &'static str| {
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            let mut values = pairs
                .filter(|(key, _)| key.trim() == name)
                .map(|(_, value)| value.trim());
            let value = values.next().filter(|value| !value.is_empty());
            value.map(str::to_owned).ok_or(name)
        };
        Ok(Self {
            id: value("aws_access_key_id")?,
            secret: value("aws_secret_access_key")?,
        })
    }
}

/// Written whole or not at all, and never readable by others.
pub(crate) fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = File::options();
    let mut file = options
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(path.parent().expect("a file in a folder"))?.sync_all()
}

/// `AKIA` and sixteen of base 32, as AWS's ids look.
fn key_id(random: &dyn Random) -> String {
    format!(
        "AKIA{}",
        letters(random, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)
    )
}

/// Forty letters: 237 bits.
fn key_secret(random: &dyn Random) -> String {
    letters(
        random,
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        40,
    )
}

/// The alphabet's size divides 256, so that no letter is likelier than another.
fn letters(random: &dyn Random, alphabet: &[u8], count: usize) -> String {
    let mut bytes = vec![0; count];
    random.fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use types::SystemRandom;

    use super::*;

    #[test]
    fn a_folder_is_held_by_one_and_its_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let region = Region::new("us-east-1").unwrap();
        let held = DataDir::open(&path).unwrap();
        let key = root_key(held.path(), &region, &SystemRandom).unwrap();
        assert!(key.id.starts_with("AKIA") && key.id.len() == 20 && key.secret.len() == 40);
        let mode = fs::metadata(path.join("credentials"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = DataDir::open(&path).err().unwrap().to_string();
        assert!(refused.contains("in use by another lambent"), "{refused}");
        drop(held);
        // A process that another test has just forked has the lock until it executes its program.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let again = loop {
            match DataDir::open(&path) {
                Ok(again) => break again,
                Err(error) => assert!(std::time::Instant::now() < deadline, "{error:#}"),
            }
        };
        assert_eq!(
            root_key(again.path(), &region, &SystemRandom)
                .unwrap()
                .secret,
            key.secret
        );
    }
}
