//! The work behind an answer: functions that are `Pending` or being updated get their new state once
//! their code is ready to run.
//!
//! A reconciler: it reads a function as it is and does what is missing, so it makes no difference
//! whether it was asked, found the function by itself, or is run twice. It checks all functions when it
//! starts, which is how interrupted work is resumed after a crash, and later whenever it has missed
//! one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::preparation::{self, Preparation, Prepare};
use records::functions::{Configuration, FUNCTIONS, Function, LastUpdate, State};
use settings::functions::arn_of;
use storage::Expect;
use tokio::sync::mpsc;
use tokio::task::{self, JoinSet};
use types::{AccountId, FunctionArn, FunctionName, Random, Scope, Version};

use crate::failure::Failure;
use crate::function_rows::FunctionRows;
use crate::package_words;

/// What was missed for lack of room among the jobs, or failed because a store did not answer, waits no
/// longer than this.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// After this many times [`LOOK_AGAIN`] all functions are checked even if nothing is known to have been
/// missed: another control plane may have died.
const LOOK_ANYWAY: u32 = 20;
/// The most functions of one account in progress at once: further ones count as missed. Workers decide
/// whose turn it is to unpack, fairly between accounts.
const OF_ONE_MAX: usize = 256;
/// The most functions in progress at once.
const AT_ONCE: usize = 16 * OF_ONE_MAX;
/// How many times the same code is tried that cannot be unpacked for a reason that may pass.
const TRIES_MAX: u32 = 3;

/// A function to settle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Job {
    pub(crate) scope: Scope,
    pub(crate) name: FunctionName,
}

/// See the module. Ends when the last handle of the control plane is gone; dropping its future
/// stops it at once, which loses nothing.
pub struct Settler {
    worker: Arc<Worker>,
    jobs: mpsc::Receiver<Job>,
}

/// Something was missed: all functions must be checked. Shared with everything that can miss something.
pub(crate) type Missed = Arc<AtomicBool>;

struct Worker {
    missed: Missed,
    functions: FunctionRows,
    preparation: Arc<dyn Preparation>,
    random: Arc<dyn Random>,
    /// Only of unsettled functions: the package that could not be unpacked, and how many times.
    tries: Mutex<BTreeMap<Job, (String, u32)>>,
}

impl Settler {
    pub(crate) fn new(
        functions: FunctionRows,
        preparation: Arc<dyn Preparation>,
        random: Arc<dyn Random>,
        jobs: mpsc::Receiver<Job>,
        missed: Missed,
    ) -> Self {
        Self {
            worker: Arc::new(Worker {
                missed,
                functions,
                preparation,
                random,
                tries: Mutex::default(),
            }),
            jobs,
        }
    }

    /// Works until nobody needs it any more.
    pub async fn run(mut self) {
        let mut again = tokio::time::interval(LOOK_AGAIN);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tasks = JoinSet::new();
        let mut under_way = UnderWay::default();
        let mut ticks = 0;
        loop {
            let mut begin = Vec::new();
            tokio::select! {
                biased;
                Some(done) = tasks.join_next_with_id(), if !tasks.is_empty() => match done {
                    Ok((id, found)) => {
                        begin.extend(under_way.end(id));
                        begin.extend(found);
                    }
                    Err(error) => {
                        tracing::error!(error = %error, "reconciling a function panicked");
                        begin.extend(under_way.end(error.id()));
                    }
                },
                job = self.jobs.recv() => match job {
                    Some(job) => begin.push(job),
                    None => break,
                },
                _ = again.tick() => {
                    // The first check, at the start, is for what a crash interrupted.
                    let anyway = ticks % LOOK_ANYWAY == 0;
                    ticks = ticks.wrapping_add(1);
                    if self.worker.missed.swap(false, Ordering::Relaxed) || anyway {
                        let worker = Arc::clone(&self.worker);
                        tasks.spawn(async move { worker.look_for_all().await });
                    }
                }
            }
            for job in begin {
                if !under_way.may_begin(&job) {
                    self.worker.missed.store(true, Ordering::Relaxed);
                } else if !under_way.again(&job) {
                    let (worker, job_of_task) = (Arc::clone(&self.worker), job.clone());
                    let task = tasks.spawn(async move {
                        worker.settle_logged(&job_of_task).await;
                        Vec::new()
                    });
                    under_way.begin(task.id(), job);
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// The functions in progress.
#[derive(Default)]
struct UnderWay {
    tasks: HashMap<task::Id, Job>,
    /// With whether it must be checked again: it was requested meanwhile.
    jobs: BTreeMap<Job, bool>,
    /// How many each account has.
    of: BTreeMap<AccountId, usize>,
}

impl UnderWay {
    /// Whether there is room for one more.
    fn may_begin(&self, job: &Job) -> bool {
        let of_account = self.of.get(&job.scope.account).copied().unwrap_or(0);
        self.jobs.contains_key(job) || (self.jobs.len() < AT_ONCE && of_account < OF_ONE_MAX)
    }

    /// Whether it is in progress already; then it will be checked again.
    fn again(&mut self, job: &Job) -> bool {
        self.jobs.get_mut(job).map(|again| *again = true).is_some()
    }

    fn begin(&mut self, task: task::Id, job: Job) {
        *self.of.entry(job.scope.account.clone()).or_default() += 1;
        self.jobs.insert(job.clone(), false);
        self.tasks.insert(task, job);
    }

    /// The function of a task that has ended, if it must be checked again.
    fn end(&mut self, task: task::Id) -> Option<Job> {
        let job = self.tasks.remove(&task)?;
        if let Some(count) = self.of.get_mut(&job.scope.account) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&job.scope.account);
            }
        }
        self.jobs.remove(&job)?.then_some(job)
    }
}

impl Worker {
    /// All functions that are not settled.
    async fn look_for_all(&self) -> Vec<Job> {
        let functions = match self.functions.all_functions(FUNCTIONS).await {
            Ok(functions) => functions,
            Err(error) => {
                self.missed.store(true, Ordering::Relaxed);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "functions cannot be listed to settle them"
                );
                return Vec::new();
            }
        };
        let unsettled = functions.into_iter().filter(is_unsettled);
        let jobs = unsettled.map(|function| Job {
            scope: function.scope,
            name: function.name,
        });
        jobs.collect()
    }

    async fn settle_logged(&self, job: &Job) {
        if let Err(error) = self.settle(job).await {
            self.missed.store(true, Ordering::Relaxed);
            let function = job.name.as_str();
            tracing::warn!(
                function,
                account = job.scope.account.as_str(),
                region = job.scope.region.as_str(),
                error = &error as &dyn std::error::Error,
                reason = error.reason_for_log(),
                "a function cannot be settled yet: it or its update stays pending, and clients that wait for it \
                 (aws lambda wait) keep waiting"
            );
        }
    }

    async fn settle(&self, job: &Job) -> Result<(), Failure> {
        let Some((function, _)) = self.functions.function(&job.scope, &job.name).await? else {
            self.tries().remove(job);
            return Ok(());
        };
        let arn = arn_of(&function);
        self.functions.finish_publishing(&arn).await?;
        let Some((function, _)) = self.functions.function(&job.scope, &job.name).await? else {
            return Ok(());
        };
        if !is_unsettled(&function) {
            self.tries().remove(job);
            return Ok(());
        }
        let prepared = self
            .prepare(&function.scope.account, &function.latest)
            .await;
        let outcome = match prepared {
            Ok(()) => Ok(()),
            Err(error) if is_lasting(&error) || self.is_last_try(job, &function.latest) => {
                let (code, reason) = package_words::state_reason(&error);
                tracing::warn!(
                    function = job.name.as_str(),
                    account = job.scope.account.as_str(),
                    region = job.scope.region.as_str(),
                    code,
                    error = &error as &dyn std::error::Error,
                    reason = error.reason_for_log(),
                    "a function or its update is Failed, and clients that wait for it (aws lambda wait) end with an \
                     error: its code or a layer cannot be unpacked"
                );
                Err((code, reason))
            }
            Err(error) => return Err(Failure::Preparation(error)),
        };
        self.tries().remove(job);
        self.settle_version(&function, &outcome).await?;
        self.settle_latest(&arn, &function, &outcome).await
    }

    /// Counts a failed attempt; returns whether it was the last.
    fn is_last_try(&self, job: &Job, configuration: &Configuration) -> bool {
        let image = &configuration.code.image;
        let mut tries = self.tries();
        let (tried, count) = tries.entry(job.clone()).or_insert((image.clone(), 0));
        if tried != image {
            (*tried, *count) = (image.clone(), 0);
        }
        *count += 1;
        *count >= TRIES_MAX
    }

    fn tries(&self) -> MutexGuard<'_, BTreeMap<Job, (String, u32)>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a worker unpack what a configuration runs: its code and its layers.
    async fn prepare(
        &self,
        account: &AccountId,
        configuration: &Configuration,
    ) -> Result<(), preparation::Error> {
        let layers = configuration.layers.iter().map(|layer| &layer.image);
        let packages = std::iter::once(&configuration.code.image).chain(layers);
        let prepare = Prepare {
            account: account.clone(),
            packages: packages.cloned().collect(),
        };
        self.preparation.prepare(prepare).await
    }

    /// The version that was published together with this `$LATEST` gets the same result. It goes first:
    /// after a crash in between, `$LATEST` is checked again.
    async fn settle_version(&self, function: &Function, outcome: &Outcome) -> Result<(), Failure> {
        let (scope, name, number) = (&function.scope, &function.name, function.published);
        let Some((mut version, revision)) = self.functions.version(scope, name, number).await?
        else {
            return Ok(());
        };
        let same = version.generation == function.latest.generation
            && version.version == Version::Published(number);
        if !same || version.state != State::Pending {
            return Ok(());
        }
        version.state = state(outcome);
        // If another writer was faster, the row is as it should be, or deleted.
        let expect = Expect::Revision(revision);
        self.functions
            .put_version(scope, name, number, &version, expect)
            .await
            .map(|_| ())
    }

    async fn settle_latest(
        &self,
        arn: &FunctionArn,
        seen: &Function,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        let settle = |function: &mut Function| {
            // The code may have been changed meanwhile; then that change is settled by its own job.
            if function.latest.code != seen.latest.code || !is_unsettled(function) {
                return Ok(());
            }
            let latest = &mut function.latest;
            if latest.state == State::Pending {
                latest.state = state(outcome);
                latest.last_update = LastUpdate::Successful;
                function.serving = None;
            } else {
                latest.last_update = match outcome {
                    Ok(()) => LastUpdate::Successful,
                    Err((code, reason)) => LastUpdate::Failed {
                        code: code.clone(),
                        reason: reason.clone(),
                    },
                };
                if outcome.is_ok() {
                    function.serving = None;
                }
            }
            function.latest.revision_id = self.random.uuid().to_string();
            Ok(())
        };
        match self.functions.change(arn, settle).await {
            // Deleted meanwhile: nothing is left to settle.
            Err(Failure::Refused(error)) if error.status == http::StatusCode::NOT_FOUND => Ok(()),
            changed => changed.map(|_| ()),
        }
    }
}

/// Success, or why not: AWS's reason code, and words.
type Outcome = Result<(), (String, String)>;

fn state(outcome: &Outcome) -> State {
    match outcome {
        Ok(()) => State::Active,
        Err((code, reason)) => State::Failed {
            code: code.clone(),
            reason: reason.clone(),
        },
    }
}

/// Whether a retry is useless.
fn is_lasting(error: &preparation::Error) -> bool {
    matches!(error, preparation::Error::Invalid { .. })
}

/// Whether something about the function is still in progress.
fn is_unsettled(function: &Function) -> bool {
    function.publishing.is_some()
        || function.latest.state == State::Pending
        || function.latest.last_update == LastUpdate::InProgress
}
