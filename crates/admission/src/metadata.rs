//! All functions, versions, aliases, function URLs and resource policies, in memory, kept fresh by
//! watching the table.
//!
//! A function that is not here is looked for in the table once more before it is called missing,
//! so that what was just created can be invoked at once.

mod functions;
mod provisioned;
mod urls;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use authn::authorisation::{Ask, Requester};
use policy::{Context as Keys, Denied};
use records::functions::{
    ALIASES, FUNCTIONS, FunctionVersion, POLICIES, PROVISIONED, RECURSIONS, URLS, VERSIONS,
};
use records::recursion::RecursiveLoop;
use records::urls::Url;
use storage::{Change, Consistency, Error, Table, Watch};
use tokio::sync::mpsc;
use types::{FunctionArn, Random};
use wire::ApiError;

use functions::Functions;

/// After the table failed, the watch is begun again so much later.
const RETRY: Duration = Duration::from_millis(200);

/// The kinds of rows that are watched, by their prefix.
const WATCHED: [&str; 7] = [
    FUNCTIONS,
    VERSIONS,
    ALIASES,
    URLS,
    POLICIES,
    PROVISIONED,
    RECURSIONS,
];

/// How the watches stand.
#[derive(Clone, Copy, Default)]
struct Watching {
    /// All that was there when they began has been told.
    current: bool,
    /// One has ended: all start over.
    ended: bool,
}

/// What an invoke needs to know about the function it names.
#[derive(Clone, Debug)]
pub struct Found {
    /// The version it resolved to.
    pub function: Arc<FunctionVersion>,
    /// The function's reserved concurrency.
    pub reserved: Option<u32>,
    /// All reservations of its account and region together, and what is provisioned of functions
    /// without one.
    pub reserved_total: u32,
    /// Provisioned concurrency of the version that is there to be used.
    pub provisioned: u32,
    /// What was asked for, of all versions of the function together.
    pub provisioned_total: u32,
    /// What happens to the function if it calls itself in a loop.
    pub recursive_loop: RecursiveLoop,
}

/// The cache.
pub struct Metadata {
    table: Arc<dyn Table>,
    functions: RwLock<Functions>,
    /// Changes on their way, while the table is watched. Locked for a few moves at a time only.
    watches: Mutex<Option<Watches>>,
}

/// One watch of each kind of row.
struct Watches {
    watches: Vec<Watch>,
    /// What has been told until all watches are current. What was deleted while nobody watched is
    /// not in it, and so goes when it takes the old one's place.
    fresh: Functions,
    /// How many watches are current.
    current: usize,
}

impl Metadata {
    /// An empty cache; [`Metadata::watch`] fills it.
    pub fn new(table: Arc<dyn Table>) -> Arc<Self> {
        Arc::new(Self {
            table,
            functions: RwLock::new(Functions::default()),
            watches: Mutex::new(None),
        })
    }

    /// Fills the cache and keeps it fresh, until the future is dropped. Tells `ready` once it is full, or
    /// why it cannot be read: then it ends, as nothing could be served.
    pub async fn watch(self: Arc<Self>, ready: mpsc::Sender<Result<(), Error>>) {
        let mut told = false;
        loop {
            match self.follow(&ready, &mut told).await {
                Ok(()) => tracing::debug!("the metadata watch fell behind and restarts"),
                Err(error) if !told => {
                    // The task that started this may have gone already.
                    let _ = ready.send(Err(error)).await;
                    return;
                }
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the metadata table cannot be watched; serving its last known state"
                ),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Watches until one of the watches ends.
    async fn follow(
        &self,
        ready: &mpsc::Sender<Result<(), Error>>,
        told: &mut bool,
    ) -> Result<(), Error> {
        let mut watches = Vec::with_capacity(WATCHED.len());
        for prefix in WATCHED {
            watches.push(self.table.watch(prefix).await?);
        }
        *self.lock_watches() = Some(Watches {
            watches,
            fresh: Functions::default(),
            current: 0,
        });
        loop {
            let watching = std::future::poll_fn(|context| self.take_in(Some(context))).await;
            if !*told && watching.current {
                // The task that started this may have gone already.
                let _ = ready.send(Ok(())).await;
                *told = true;
            }
            if watching.ended {
                return Ok(());
            }
        }
    }

    /// Takes in the changes that have been told and not been taken in. With a context it is
    /// pending where there are none, and the context is woken by the next.
    ///
    /// A table tells its watchers of a write before it acknowledges it. Where the table is in this
    /// process, an invoke that takes these in first therefore sees every write that was
    /// acknowledged before it came.
    fn take_in(&self, mut context: Option<&mut Context<'_>>) -> Poll<Watching> {
        let mut guard = self.lock_watches();
        let Some(Watches {
            watches,
            fresh,
            current,
        }) = &mut *guard
        else {
            return Poll::Ready(Watching::default());
        };
        let mut taken = false;
        let mut ended = false;
        for watch in watches {
            loop {
                let polled = match &mut context {
                    Some(context) => watch.poll_recv(context),
                    None => match watch.try_recv() {
                        Ok(change) => Poll::Ready(Some(change)),
                        // The watching task finds out for itself when a watch has ended.
                        Err(_) => Poll::Pending,
                    },
                };
                match polled {
                    Poll::Pending => break,
                    Poll::Ready(None) => {
                        ended = true;
                        break;
                    }
                    Poll::Ready(Some(Change::Current)) => {
                        *current += 1;
                        if *current == WATCHED.len() {
                            *self.write() = std::mem::take(fresh);
                        }
                    }
                    Poll::Ready(Some(change)) if *current < WATCHED.len() => fresh.apply(&change),
                    Poll::Ready(Some(change)) => self.write().apply(&change),
                }
                taken = true;
            }
        }
        let watching = Watching {
            current: *current >= WATCHED.len(),
            ended,
        };
        if ended {
            *guard = None;
        }
        match taken || ended {
            true => Poll::Ready(watching),
            false => Poll::Pending,
        }
    }

    /// Finds the version that `arn` means to a caller.
    pub(crate) async fn resolve(
        &self,
        arn: &FunctionArn,
        random: &dyn Random,
    ) -> Result<Found, ApiError> {
        // It does not matter if there was nothing to take in.
        let _ = self.take_in(None);
        let fraction = || random.next_fraction();
        // What cannot be invoked by what is known here is looked for once more: it may have just
        // been created, or have just become active.
        if let Ok(Some(found)) = self.read().resolve(arn, fraction) {
            return Ok(found);
        }
        self.load(arn).await.map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a function cannot be looked up"
            );
            ApiError::unavailable()
        })?;
        match self.read().resolve(arn, fraction)? {
            Some(found) => Ok(found),
            None => Err(not_found(arn)),
        }
    }

    /// The function URL with this id.
    pub fn url(&self, id: &str) -> Option<Arc<Url>> {
        // It does not matter if there was nothing to take in.
        let _ = self.take_in(None);
        self.read().url(id)
    }

    /// Decides whether a request may do `action` (`lambda:InvokeFunction`,
    /// `lambda:InvokeFunctionUrl`) to the function as `arn` names it. By the policies of its
    /// sender, if anybody signed ([`Requester::anonymous`] is for those who did not), and the resource
    /// policy of exactly that ARN: one of the function says nothing about its aliases. `keys` are
    /// condition keys that depend on the action, `lambda:FunctionUrlAuthType` say.
    ///
    /// Only from memory, as every invoke asks. A function that is not known here has no policy:
    /// [`Metadata::resolve`] then tells users of its account that it does not exist.
    pub fn authorise(
        &self,
        requester: &Requester,
        action: &str,
        arn: &FunctionArn,
        mut keys: Keys,
    ) -> Result<(), Denied> {
        let _ = self.take_in(None);
        let standing = self.read().standing(arn);
        if let Some(tags) = &standing.tags {
            keys.set_tags("aws:ResourceTag/", tags);
        }
        requester.authorise(Ask {
            action,
            resource: &arn.to_string(),
            owner: &arn.scope.account,
            policy: standing.policy.as_deref(),
            context: keys,
        })
    }

    /// Reads a function's rows from the table.
    async fn load(&self, arn: &FunctionArn) -> Result<(), Error> {
        for key in functions::keys(arn) {
            if let Some(row) = self.table.get(&key, Consistency::Strong).await? {
                self.write().apply(&Change::Put(row));
            }
        }
        Ok(())
    }

    fn lock_watches(&self) -> MutexGuard<'_, Option<Watches>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Functions> {
        self.functions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Functions> {
        self.functions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// An invoke without a qualifier is one of `$LATEST`, and so it is said what there is not.
fn not_found(arn: &FunctionArn) -> ApiError {
    let latest = match arn.qualifier {
        None => ":$LATEST",
        Some(_) => "",
    };
    ApiError::not_found(format!("Function not found: {arn}{latest}"))
}

#[cfg(test)]
mod tests;
