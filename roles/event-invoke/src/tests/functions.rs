//! Scripted functions, instead of the synchronous path.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::credentials::Credentials;
use api::invoke::{Error, Invoke, Invoker, Outcome, Target, Why};
use async_trait::async_trait;
use bytes::Bytes;
use records::examples;
pub(super) use records::examples::scope;
use records::functions::{Configuration, FunctionVersion};
use tokio::time::Instant;
use types::{FunctionArn, FunctionName, RequestId, Version};

/// The key of the role that every function has.
pub(super) const KEY: &str = "ASIA-arn:aws:iam::000000000000:role/r";

/// What a function does when it is invoked.
#[derive(Clone, Debug)]
pub(super) enum Does {
    /// Returns this.
    Returns(&'static str),
    /// Fails with this message.
    Fails(&'static str),
    /// Is not run: too many at this moment.
    Throttled,
    /// Is not run: something is not in order.
    Unavailable,
    /// Has the code that was to run it panic.
    Panics,
    /// Runs, and never answers.
    Hangs,
}

/// One run, or one try of it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) at: Duration,
    pub(super) request: RequestId,
    pub(super) arn: FunctionArn,
    pub(super) payload: Bytes,
    /// Whether it ran.
    pub(super) ran: bool,
}

/// A function as it is now.
pub(super) struct Function {
    /// What it does: with the first call, the second and so on; with all others, the last.
    pub(super) does: Vec<Does>,
    /// How long a run takes.
    pub(super) takes: Duration,
    /// How many may run at a time; more are throttled.
    pub(super) limit: u32,
    pub(super) reserved: Option<u32>,
    pub(super) dead_letter: Option<&'static str>,
    pub(super) version: Version,
    /// Whether roles of other functions may not invoke it.
    pub(super) forbidden: bool,
    pub(super) running: u32,
    /// How often it was tried.
    pub(super) tries: usize,
}

impl Default for Function {
    fn default() -> Self {
        Self {
            does: vec![Does::Returns("null")],
            takes: Duration::from_millis(5),
            limit: 1_000,
            reserved: None,
            dead_letter: None,
            version: Version::Latest,
            forbidden: false,
            running: 0,
            tries: 0,
        }
    }
}

/// All functions there are, and what has become of them.
pub(super) struct Functions {
    began: Instant,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    functions: BTreeMap<String, Function>,
    calls: Vec<Call>,
}

/// `f`, or `f:live`.
pub(super) fn arn(name: &str) -> FunctionArn {
    let (name, qualifier) = match name.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (name, None),
    };
    FunctionArn {
        scope: scope(),
        name: FunctionName::new(name).unwrap(),
        qualifier: qualifier.map(|text| types::Qualifier::parse(text).unwrap()),
    }
}

impl Functions {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            known: Mutex::default(),
        }
    }

    pub(super) fn put(&self, name: &str, function: Function) {
        self.known().functions.insert(name.to_owned(), function);
    }

    pub(super) fn delete(&self, name: &str) {
        self.known().functions.remove(name);
    }

    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Function)) {
        change(self.known().functions.get_mut(name).unwrap());
    }

    /// How long a run of it takes from now on.
    pub(super) fn takes(&self, name: &str, time: Duration) {
        self.change(name, |function| function.takes = time);
    }

    /// What a name means now.
    pub(super) fn meant(&self, name: &str) -> Option<Arc<FunctionVersion>> {
        let known = self.known();
        let name = name.split(':').next()?;
        let function = known.functions.get(name)?;
        Some(version(name, function))
    }

    /// Tries of the function `name`, in order.
    pub(super) fn calls(&self, name: &str) -> Vec<Call> {
        let known = self.known();
        let calls = known.calls.iter();
        calls
            .filter(|call| call.arn.name.as_str() == name)
            .cloned()
            .collect()
    }

    /// Those of them that ran.
    pub(super) fn runs(&self, name: &str) -> Vec<Call> {
        let mut calls = self.calls(name);
        calls.retain(|call| call.ran);
        calls
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a run, if it may be.
    fn begin(&self, invoke: &Invoke) -> Result<(Duration, Does, Arc<FunctionVersion>), Error> {
        let mut known = self.known();
        let Known { functions, calls } = &mut *known;
        let name = invoke.arn.name.as_str();
        let function = functions.get_mut(name).ok_or_else(not_found)?;
        let (_, passes) = wire::lineage::pass(&invoke.trace, &invoke.arn);
        let turn = function.tries.min(function.does.len() - 1);
        function.tries += 1;
        let does = match function.does[turn].clone() {
            _ if function.running >= function.limit => Does::Throttled,
            does => does,
        };
        let refused = match does {
            _ if passes > wire::lineage::PASSES_MAX => Some(recursive()),
            Does::Throttled => Some(throttled()),
            Does::Unavailable => Some(unavailable()),
            Does::Returns(_) | Does::Fails(_) | Does::Panics | Does::Hangs => None,
        };
        calls.push(Call {
            at: self.began.elapsed(),
            request: invoke.request,
            arn: invoke.arn.clone(),
            payload: invoke.payload.clone(),
            ran: refused.is_none(),
        });
        match refused {
            Some(error) => Err(error),
            None => {
                function.running += 1;
                Ok((function.takes, does, version(name, function)))
            }
        }
    }
}

#[async_trait]
impl Invoker for Functions {
    async fn target(&self, arn: &FunctionArn) -> Result<Target, Error> {
        let known = self.known();
        let name = arn.name.as_str();
        let function = known.functions.get(name).ok_or_else(not_found)?;
        Ok(Target {
            function: version(name, function),
            reserved: function.reserved,
        })
    }

    async fn may_invoke(&self, keys: &Credentials, arn: &FunctionArn) -> Result<(), Error> {
        assert_eq!(keys.access_key_id, KEY);
        let known = self.known();
        let function = known.functions.get(arn.name.as_str());
        match function.ok_or_else(not_found)?.forbidden {
            true => Err(denied()),
            false => Ok(()),
        }
    }

    async fn invoke(&self, invoke: Invoke) -> Result<Outcome, Error> {
        let (takes, does, function) = self.begin(&invoke)?;
        // It runs to its end even if nobody listens, as the real ones do.
        let _running = Running {
            functions: self,
            name: invoke.arn.name.as_str().to_owned(),
        };
        tokio::time::sleep(takes).await;
        let (failed, payload) = match does {
            Does::Fails(message) => (true, format!("{{\"errorMessage\":\"{message}\"}}")),
            Does::Returns(payload) => (false, payload.to_owned()),
            Does::Panics => panic!("a test has an invoke panic"),
            Does::Hangs => std::future::pending().await,
            Does::Throttled | Does::Unavailable => unreachable!("it did not begin"),
        };
        Ok(Outcome {
            function,
            failed,
            payload: payload.into(),
        })
    }
}

struct Running<'f> {
    functions: &'f Functions,
    name: String,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(function) = self.functions.known().functions.get_mut(&self.name) {
            function.running = function.running.saturating_sub(1);
        }
    }
}

fn not_found() -> Error {
    error(
        Why::NotFound,
        404,
        "ResourceNotFoundException",
        "Function not found",
    )
}

fn denied() -> Error {
    error(Why::Denied, 403, "AccessDeniedException", "You shall not.")
}

fn throttled() -> Error {
    error(
        Why::Throttled,
        429,
        "TooManyRequestsException",
        "Rate Exceeded.",
    )
}

fn unavailable() -> Error {
    error(Why::Unavailable, 500, "ServiceException", "Not now.")
}

fn recursive() -> Error {
    error(
        Why::Recursive,
        400,
        "RecursiveInvocationException",
        "Recursive.",
    )
}

fn error(why: Why, status: u16, code: &str, message: &str) -> Error {
    Error {
        why,
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

fn version(name: &str, function: &Function) -> Arc<FunctionVersion> {
    let configuration = Configuration {
        version: function.version,
        timeout_seconds: 900,
        dead_letter_target: function.dead_letter.map(str::to_owned),
        ..examples::configuration()
    };
    Arc::new(examples::function_version(name, configuration))
}
