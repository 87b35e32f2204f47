//! Packages unpacked: each in a folder of its account, made when it is asked for, and removed when there is no room
//! for all and it was used longest ago.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Cursor, Seek as _, Write as _};
use std::ops::Deref;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use types::AccountId;

use crate::confine::{Confine, Task};
use crate::disk::{Disk, Gone};
use crate::index::{Hold, Index, Key};
use crate::leave::Leave;
use crate::packages::{Packages, blocking};
use crate::turns::Turns;
use crate::{Error, layers, report, unpack};

/// Names of packages read at once.
const NAMES_BATCH: usize = 4_096;

/// The cache of unpacked packages of one worker.
pub struct Folders {
    packages: Arc<Packages>,
    cache: Arc<Cache>,
    confine: Arc<dyn Confine>,
    turns: Arc<Turns>,
    leave: Leave,
}

/// What is there, and what may be.
struct Cache {
    disk: Disk,
    /// Bytes that all may take together but for those that are held.
    bytes_max: u64,
    /// Locked while a folder is looked up and while one is taken out of its place, so that none is both.
    index: Mutex<Index>,
}

/// A folder that holds what was unpacked. It stays for as long as this lives. Read-only by custom: it is
/// bind-mounted into every environment that runs what is in it.
#[derive(Clone, Debug)]
pub struct Unpacked {
    path: PathBuf,
    hold: Hold,
}

impl Deref for Unpacked {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl Folders {
    /// Unpacks `packages` by `confine` under the folder `cache`, which is created if missing. Folders that nobody uses
    /// take at most `bytes_max` bytes together. Nothing is unpacked if the disk would have less
    /// than `reserve` bytes left.
    pub fn open(
        packages: Arc<Packages>,
        cache: PathBuf,
        confine: Arc<dyn Confine>,
        reserve: u64,
        bytes_max: u64,
    ) -> Result<Self, Error> {
        let leave = Leave::of_reserve(reserve);
        let disk = Disk::open(cache, confine.user(), leave)?;
        let mut index = Index::default();
        for (account, name, bytes) in disk.list()? {
            index.hold(&account, &name, bytes, Vec::new());
        }
        let cache = Cache {
            disk,
            bytes_max,
            index: Mutex::new(index),
        };
        cache.make_room()?;
        Ok(Self {
            packages,
            cache: Arc::new(cache),
            confine,
            turns: Arc::default(),
            leave,
        })
    }

    /// Bytes of all that is unpacked.
    pub fn bytes(&self) -> u64 {
        self.cache.lock().bytes()
    }

    /// Removes what was unpacked of packages that are kept no longer, and that nobody holds.
    pub async fn remove_gone(&self) -> Result<(), Error> {
        let free = self.cache.lock().free();
        let mut kept = BTreeSet::new();
        let mut after: Option<String> = None;
        loop {
            let names = self.packages.list(after.as_deref(), NAMES_BATCH).await?;
            after = names.last().cloned();
            if after.is_none() {
                break;
            }
            kept.extend(names);
        }
        let gone = free.into_iter();
        // What was made of several goes with any of them.
        let gone: Vec<(Key, u64)> = gone
            .filter(|((_, name), _)| !layers::is_name(name) && !kept.contains(name))
            .collect();
        let cache = Arc::clone(&self.cache);
        blocking(move || cache.remove(gone)).await
    }

    /// The account's folder that holds the unpacked package, unpacked now if need be.
    pub async fn folder(&self, account: &AccountId, image: &str) -> Result<Unpacked, Error> {
        if let Some(folder) = self.cache.get(account, image, 0, Vec::new()) {
            return Ok(folder);
        }
        let turn = self.turns.take(account).await;
        // Somebody else's turn may have been for the same.
        if let Some(folder) = self.cache.get(account, image, 0, Vec::new()) {
            return Ok(folder);
        }
        let zip = self.packages.zip(image).await?;
        let zip = zip.ok_or_else(|| Error::NotFound {
            image: image.to_owned(),
        })?;
        let (cache, confine) = (Arc::clone(&self.cache), Arc::clone(&self.confine));
        let (account, image) = (account.clone(), image.to_owned());
        let leave = self.leave;
        blocking(move || {
            // Given back when this is over, even if nobody waits for it any more.
            let _turn = turn;
            let bytes = unpack::check(Cursor::new(&zip))?;
            let input = in_memory(&zip)?;
            drop(zip);
            cache.disk.note_bytes(&account, &image, bytes)?;
            cache.disk.fill(&account, &image, |_, fresh, _| {
                run(confine.as_ref(), Task::unpack(fresh.as_fd(), input, leave))
            })?;
            let made = cache.get(&account, &image, bytes, Vec::new());
            cache.make_room()?;
            made.ok_or(Error::NotFound { image })
        })
        .await
    }

    /// The account's folder that holds these packages one over the other, made now if need be: where two
    /// have the same file, it is the later one's. `None` of no packages.
    pub async fn layers(
        &self,
        account: &AccountId,
        images: &[&str],
    ) -> Result<Option<Unpacked>, Error> {
        let name = match images {
            [] => return Ok(None),
            [image] => return self.folder(account, image).await.map(Some),
            images => layers::name(images),
        };
        let mut parts = Vec::new();
        for image in images {
            parts.push(self.folder(account, image).await?.hold);
        }
        if let Some(folder) = self.cache.get(account, &name, 0, parts.clone()) {
            return Ok(Some(folder));
        }
        let turn = self.turns.take(account).await;
        if let Some(folder) = self.cache.get(account, &name, 0, parts.clone()) {
            return Ok(Some(folder));
        }
        let (cache, confine) = (Arc::clone(&self.cache), Arc::clone(&self.confine));
        let (account, leave) = (account.clone(), self.leave);
        let images: Vec<String> = images.iter().map(|image| (*image).to_owned()).collect();
        let made = blocking(move || {
            let _turn = turn;
            cache.disk.note(&account, &name, &images)?;
            let layers: Vec<&str> = images.iter().map(String::as_str).collect();
            cache.disk.fill(&account, &name, |home, _, fresh| {
                let nothing = in_memory(&[])?;
                let task = Task::merge(home.as_fd(), &layers, fresh, nothing, leave);
                run(confine.as_ref(), task)
            })?;
            // Its files are its parts'.
            let made = cache.get(&account, &name, 0, parts);
            made.ok_or(Error::NotFound { image: name })
        });
        made.await.map(Some)
    }
}

impl Cache {
    /// A folder that is here, held from now on. `bytes` counts only if it is new.
    fn get(
        &self,
        account: &AccountId,
        name: &str,
        bytes: u64,
        parts: Vec<Hold>,
    ) -> Option<Unpacked> {
        let mut index = self.lock();
        let path = self.disk.get(account, name)?;
        let hold = index.hold(account, name, bytes, parts);
        Some(Unpacked { path, hold })
    }

    /// Removes those that nobody has used since.
    fn remove(&self, unused: Vec<(Key, u64)>) -> Result<(), Error> {
        let mut gone = Vec::new();
        {
            let mut index = self.lock();
            for (key, used) in unused {
                if index.forget(&key, used) {
                    gone.push(self.disk.take_out(&key.0, &key.1)?);
                }
            }
        }
        gone.into_iter().try_for_each(Gone::remove)
    }

    /// Removes what was used longest ago until all takes no more than it may.
    fn make_room(&self) -> Result<(), Error> {
        let mut gone = Vec::new();
        {
            let mut index = self.lock();
            for (account, name) in index.victims(self.bytes_max) {
                tracing::debug!(
                    account = account.as_str(),
                    name,
                    "an unpacked package makes room"
                );
                gone.push(self.disk.take_out(&account, &name)?);
            }
        }
        gone.into_iter().try_for_each(Gone::remove)
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index
            .lock()
            .expect("no code panics while it holds the index")
    }
}

/// Has a task run and reads how it went.
fn run(confine: &dyn Confine, task: Task<'_>) -> Result<(), Error> {
    let within = task.within;
    match confine.run(task) {
        Ok(report) => report::decode(&report),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Error::TooSlow {
            seconds: within.as_secs(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// A file without a name, for a process that has no other way to these bytes.
fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("package", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
mod tests;
