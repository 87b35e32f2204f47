//! All functions, versions and aliases, in memory, kept fresh by watching the table.
//!
//! A function that is not here is looked for in the table once more before it is called missing,
//! so that what was just created can be invoked at once.

mod functions;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api::functions::{ALIASES, FUNCTIONS, FunctionVersion, VERSIONS};
use storage::{Change, Consistency, Error, Table};
use tokio::sync::mpsc;
use types::{FunctionArn, Random};
use wire::ApiError;

use functions::Functions;

/// After the table failed, the watch is begun again so much later.
const RETRY: Duration = Duration::from_millis(200);

/// What an invoke needs to know about the function it names.
#[derive(Clone, Debug)]
pub struct Found {
    /// The version it resolved to.
    pub function: Arc<FunctionVersion>,
    /// The function's reserved concurrency.
    pub reserved: Option<u32>,
    /// All reservations of its account and region together.
    pub reserved_total: u32,
}

/// The cache.
pub struct Metadata {
    table: Arc<dyn Table>,
    functions: RwLock<Functions>,
}

impl Metadata {
    /// An empty cache; [`Metadata::watch`] fills it.
    pub fn new(table: Arc<dyn Table>) -> Arc<Self> {
        Arc::new(Self {
            table,
            functions: RwLock::new(Functions::default()),
        })
    }

    /// Fills the cache and keeps it fresh, until the future is dropped. Tells `ready` once all is in.
    pub async fn watch(self: Arc<Self>, ready: mpsc::Sender<()>) {
        let mut told = false;
        loop {
            match self.follow(&ready, &mut told).await {
                Ok(()) => tracing::debug!("the metadata watch fell behind and begins anew"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the metadata table cannot be watched; serving what is known"
                ),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// One watch of each kind of row, until one of them ends.
    async fn follow(&self, ready: &mpsc::Sender<()>, told: &mut bool) -> Result<(), Error> {
        let mut functions = self.table.watch(FUNCTIONS).await?;
        let mut versions = self.table.watch(VERSIONS).await?;
        let mut aliases = self.table.watch(ALIASES).await?;
        // What was deleted while nobody watched must go too.
        let mut fresh = Functions::default();
        let mut current = 0;
        loop {
            let change = tokio::select! {
                biased;
                change = functions.recv() => change,
                change = versions.recv() => change,
                change = aliases.recv() => change,
            };
            match change {
                None => return Ok(()),
                Some(Change::Current) => {
                    current += 1;
                    if current == 3 {
                        *self.write() = std::mem::take(&mut fresh);
                        if !*told {
                            // Who started this may have gone already.
                            let _ = ready.send(()).await;
                            *told = true;
                        }
                    }
                }
                Some(change) if current < 3 => fresh.apply(&change),
                Some(change) => self.write().apply(&change),
            }
        }
    }

    /// Finds the version that `arn` means to a caller.
    pub(crate) async fn resolve(
        &self,
        arn: &FunctionArn,
        random: &dyn Random,
    ) -> Result<Found, ApiError> {
        let fraction = || random.next_fraction();
        if let Some(found) = self.read().resolve(arn, fraction)? {
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
            None => Err(ApiError::not_found(format!("Function not found: {arn}"))),
        }
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
