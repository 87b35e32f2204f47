//! Keeps provisioned concurrency as it was requested: tells assignment what is to be ready, and records
//! the status.
//!
//! ```text
//!   rows: settings, aliases, versions ─▶ plan ─▶ Assignment::provision ─▶ plan ─▶ rows: status, numbers
//! ```
//!
//! A reconciler: every second, and at once after a change, it reads all settings and sends the complete
//! list of what is to be ready. It remembers nothing between two turns, so it makes no difference
//! whether one was missed, or whether this process or assignment's restarted. Only one works at a time,
//! by a lease: two would send the same, write by compare-and-set, and at worst undo for a second what
//! the other has just written from newer data.

mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::assignment::{Assignment, Provision, Standing};
use records::functions::{FunctionVersion, PROVISIONED, State};
use records::provisioned::{Allocation, Provisioned};
use storage::{Expect, Revision, Row};
use tables::{Rows, decode};
use tokio::sync::Notify;
use types::{AccountId, FunctionArn, FunctionName, Qualifier, Region, Scope, Version};

use crate::failure::Failure;
use crate::function_rows::FunctionRows;
use plan::Target;

/// The time between two turns: at most this long until an environment that ended is replaced.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// See the module. Dropping its future stops it, which loses nothing.
pub struct Provisioner {
    rows: Arc<Rows>,
    functions: FunctionRows,
    assignment: Arc<dyn Assignment>,
    changed: Arc<Notify>,
}

/// One setting, with everything that is known about it.
struct Setting {
    key: String,
    revision: Revision,
    row: Provisioned,
    allocations: Vec<Allocation>,
    /// The versions of its allocations that can be run.
    versions: BTreeMap<Version, Arc<FunctionVersion>>,
}

impl Provisioner {
    pub(crate) fn new(
        rows: Arc<Rows>,
        assignment: Arc<dyn Assignment>,
        changed: Arc<Notify>,
    ) -> Self {
        Self {
            functions: FunctionRows::new(Arc::clone(&rows)),
            rows,
            assignment,
            changed,
        }
    }

    /// Works for as long as it is polled.
    pub async fn run(self) {
        let mut timer = tokio::time::interval(LOOK_EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                _ = timer.tick() => {}
            }
            if let Err(error) = self.turn().await {
                // What is ready stays so; the next turn tries again.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "provisioned concurrency cannot be reconciled"
                );
            }
        }
    }

    /// One turn over all settings.
    pub(crate) async fn turn(&self) -> Result<(), Failure> {
        let mut settings = Vec::new();
        for row in self.rows.all(PROVISIONED).await? {
            settings.extend(self.setting(&row).await?);
        }
        // If the call fails, the status is not known, and nothing changes; it is repeated within a
        // second.
        let Some(standings) = self.tell(&settings).await else {
            return Ok(());
        };
        let mut released = false;
        let mut changed = Vec::new();
        for setting in &mut settings {
            let standing = |version| standings.get(&(setting.key.clone(), version)).cloned();
            let standing = |version| standing(version).unwrap_or_default();
            let settled = plan::settled(&setting.row, setting.allocations.clone(), standing);
            released |= is_released(&setting.allocations, &settled.allocations);
            setting.allocations.clone_from(&settled.allocations);
            if settled != setting.row {
                changed.push((setting.key.clone(), setting.revision, settled));
            }
        }
        if released {
            // Before the frontends learn that they may be used, and rely on it.
            if self.tell(&settings).await.is_none() {
                return Ok(());
            }
        }
        for (key, revision, row) in changed {
            // If another writer was faster, the next turn reads what it wrote.
            let expect = Expect::Revision(revision);
            self.rows.put(&key, &row, expect).await?;
        }
        Ok(())
    }

    /// Sends the complete list, and returns the status by setting and version. `None` if the call failed, or a
    /// partition has no leader at the moment.
    async fn tell(&self, settings: &[Setting]) -> Option<BTreeMap<(String, Version), Standing>> {
        let mut keys = Vec::new();
        let mut wanted = Vec::new();
        for setting in settings {
            for allocation in &setting.allocations {
                let Some(function) = setting.versions.get(&allocation.version) else {
                    continue;
                };
                keys.push((setting.key.clone(), allocation.version));
                wanted.push(Provision {
                    function: Arc::clone(function),
                    count: allocation.wanted,
                    held: !allocation.in_service,
                    asked: setting.row.last_modified,
                });
            }
        }
        let standings = self.assignment.provision(wanted).await.ok()?;
        let standings = standings.into_iter().collect::<Option<Vec<Standing>>>()?;
        Some(keys.into_iter().zip(standings).collect())
    }

    /// Reads what belongs to a setting. `None` if its function or alias was deleted: the row is swept
    /// with these.
    async fn setting(&self, row: &Row) -> Result<Option<Setting>, Failure> {
        let decoded = decode::<Provisioned>(row);
        let (Ok(provisioned), Some(arn)) = (decoded, arn_of_key(&row.key)) else {
            tracing::error!(
                key = row.key,
                "skipping a provisioned row that cannot be read"
            );
            return Ok(None);
        };
        let Some(targets) = self.targets(&arn, provisioned.requested).await? else {
            return Ok(None);
        };
        let mut allocations = plan::allocations(&provisioned.allocations, &targets);
        let mut versions = BTreeMap::new();
        for allocation in &allocations {
            if let Some(version) = self.version(&arn, allocation.version).await? {
                versions.insert(allocation.version, Arc::new(version));
            }
        }
        // For a deleted version nothing is kept ready.
        allocations
            .retain(|allocation| !allocation.leaving || versions.contains_key(&allocation.version));
        Ok(Some(Setting {
            key: row.key.clone(),
            revision: row.revision,
            row: provisioned,
            allocations,
            versions,
        }))
    }

    async fn targets(
        &self,
        arn: &FunctionArn,
        requested: u32,
    ) -> Result<Option<Vec<Target>>, Failure> {
        match &arn.qualifier {
            Some(Qualifier::Version(version)) => Ok(Some(plan::of_version(*version, requested))),
            Some(Qualifier::Alias(name)) => {
                let found = self.functions.alias(&arn.scope, &arn.name, name).await?;
                Ok(found.map(|(alias, _)| plan::of_alias(&alias, requested)))
            }
            None => Ok(None),
        }
    }

    /// The version, if it can be run.
    async fn version(
        &self,
        arn: &FunctionArn,
        version: Version,
    ) -> Result<Option<FunctionVersion>, Failure> {
        let Version::Published(number) = version else {
            return Ok(None);
        };
        let (scope, name) = (&arn.scope, &arn.name);
        let Some((function, _)) = self.functions.function(scope, name).await? else {
            return Ok(None);
        };
        let found = self.functions.version(scope, name, number).await?;
        let found = found.filter(|_| number <= function.published);
        let active = found.filter(|(configuration, _)| configuration.state == State::Active);
        Ok(active.map(|(configuration, _)| FunctionVersion {
            scope: scope.clone(),
            name: name.clone(),
            configuration: Arc::new(configuration),
        }))
    }
}

/// Whether invokes may use an allocation that they could not use before.
fn is_released(before: &[Allocation], after: &[Allocation]) -> bool {
    let was_held = |version| {
        before
            .iter()
            .any(|known| known.version == version && !known.in_service)
    };
    after
        .iter()
        .any(|allocation| allocation.in_service && was_held(allocation.version))
}

/// The alias or version that a row's key names.
fn arn_of_key(key: &str) -> Option<FunctionArn> {
    let mut parts = key.strip_prefix(PROVISIONED)?.splitn(4, '/');
    let account = AccountId::new(parts.next()?).ok()?;
    let region = Region::new(parts.next()?).ok()?;
    let name = FunctionName::new(parts.next()?).ok()?;
    let qualifier = Qualifier::parse(parts.next()?).ok()?;
    Some(FunctionArn {
        scope: Scope { account, region },
        name,
        qualifier: Some(qualifier),
    })
}
