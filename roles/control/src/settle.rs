//! What goes on after an answer: functions that are `Pending` or being updated become what they
//! were told to be, once their code is ready to run.
//!
//! A reconciler: it looks at a function as it is and does what is missing, so that it makes no
//! difference whether it was asked, found the function by itself, or is run twice. It looks at all
//! functions when it starts, which is how what a crash interrupted goes on, and afterwards when it
//! has missed one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::functions::{Configuration, FUNCTIONS, Function, LastUpdate, State};
use image::Images;
use storage::Expect;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use types::{FunctionArn, FunctionName, Random, Scope, Version};

use crate::failure::{Failure, chain};
use crate::functions::arn_of;
use crate::rows::Rows;

/// What was missed for want of room among the jobs, or failed because a store did not answer,
/// waits no longer than this.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// All functions are looked at after so many times [`LOOK_AGAIN`] even if nothing is known to have
/// been missed: another control plane may have died.
const LOOK_ANYWAY: u32 = 20;
/// Functions settled at once: unpacking is work for processors and disks, not for waiting.
const AT_ONCE: usize = 4;

/// A function to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
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

/// Something was missed: all functions must be looked at. Shared with whoever can miss something.
pub(crate) type Missed = Arc<AtomicBool>;

struct Worker {
    missed: Missed,
    rows: Arc<Rows>,
    images: Arc<Images>,
    random: Arc<dyn Random>,
}

impl Settler {
    pub(crate) fn new(
        rows: Arc<Rows>,
        images: Arc<Images>,
        random: Arc<dyn Random>,
        jobs: mpsc::Receiver<Job>,
        missed: Missed,
    ) -> Self {
        Self {
            worker: Arc::new(Worker {
                missed,
                rows,
                images,
                random,
            }),
            jobs,
        }
    }

    /// Works until there is nobody left to work for.
    pub async fn run(mut self) {
        let mut again = tokio::time::interval(LOOK_AGAIN);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tasks = JoinSet::new();
        let mut ticks = 0;
        loop {
            let full = tasks.len() >= AT_ONCE;
            tokio::select! {
                biased;
                Some(done) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Err(error) = done {
                        tracing::error!(error = %error, "settling a function panicked");
                    }
                }
                job = self.jobs.recv(), if !full => match job {
                    Some(job) => {
                        let worker = Arc::clone(&self.worker);
                        tasks.spawn(async move { worker.settle_logged(&job).await });
                    }
                    None => break,
                },
                _ = again.tick(), if !full => {
                    // The first look, at the start, is for what a crash interrupted.
                    let anyway = ticks % LOOK_ANYWAY == 0;
                    ticks = ticks.wrapping_add(1);
                    if self.worker.missed.swap(false, Ordering::Relaxed) || anyway {
                        let worker = Arc::clone(&self.worker);
                        tasks.spawn(async move { worker.look_at_all().await });
                    }
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

impl Worker {
    async fn look_at_all(&self) {
        let functions = match self.rows.all_functions(FUNCTIONS).await {
            Ok(functions) => functions,
            Err(error) => {
                self.missed.store(true, Ordering::Relaxed);
                tracing::warn!(error = %chain(&error), "functions cannot be listed to settle them");
                return;
            }
        };
        for function in functions.iter().filter(|function| is_unsettled(function)) {
            let job = Job {
                scope: function.scope.clone(),
                name: function.name.clone(),
            };
            self.settle_logged(&job).await;
        }
    }

    async fn settle_logged(&self, job: &Job) {
        if let Err(error) = self.settle(job).await {
            self.missed.store(true, Ordering::Relaxed);
            let function = job.name.as_str();
            tracing::warn!(function, error = %chain(&error), "a function cannot be settled yet");
        }
    }

    async fn settle(&self, job: &Job) -> Result<(), Failure> {
        let Some((function, _)) = self.rows.function(&job.scope, &job.name).await? else {
            return Ok(());
        };
        let arn = arn_of(&function);
        self.rows.finish_publishing(&arn).await?;
        let Some((function, _)) = self.rows.function(&job.scope, &job.name).await? else {
            return Ok(());
        };
        if !is_unsettled(&function) {
            return Ok(());
        }
        let outcome = match self.unpack(&function.latest).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_package() => {
                Err(("InvalidZipFileException".to_owned(), error.to_string()))
            }
            Err(error) => return Err(Failure::Images(error)),
        };
        self.settle_version(&function, &outcome).await?;
        self.settle_latest(&arn, &function, &outcome).await
    }

    /// Makes ready what a configuration runs: its code and its layers.
    async fn unpack(&self, configuration: &Configuration) -> Result<(), image::Error> {
        self.images.folder(&configuration.code.image).await?;
        for layer in &configuration.layers {
            self.images.folder(&layer.image).await?;
        }
        Ok(())
    }

    /// The version that was published together with this `$LATEST` shares its fate. It goes first:
    /// a crash after it leaves `$LATEST` to be looked at again.
    async fn settle_version(&self, function: &Function, outcome: &Outcome) -> Result<(), Failure> {
        let (scope, name, number) = (&function.scope, &function.name, function.published);
        let Some((mut version, revision)) = self.rows.version(scope, name, number).await? else {
            return Ok(());
        };
        let same = version.generation == function.latest.generation
            && version.version == Version::Published(number);
        if !same || version.state != State::Pending {
            return Ok(());
        }
        version.state = state(outcome);
        // If somebody was faster the row is as it should be, or gone.
        let expect = Expect::Revision(revision);
        self.rows
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
        match self.rows.change(arn, settle).await {
            // Deleted meanwhile: nothing is left to settle.
            Err(Failure::Refused(error)) if error.status == http::StatusCode::NOT_FOUND => Ok(()),
            changed => changed.map(|_| ()),
        }
    }
}

/// Fine, or why not: AWS's reason code, and words.
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

/// Whether something about the function is still under way.
fn is_unsettled(function: &Function) -> bool {
    function.publishing.is_some()
        || function.latest.state == State::Pending
        || function.latest.last_update == LastUpdate::InProgress
}
