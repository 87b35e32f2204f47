//! The control plane: what it is made of, and how a request is answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::assignment::Assignment;
use api::placement::Placement;
use api::preparation::Preparation;
use authn::Authenticator;
use authn::roles::Roles;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use image::Packages;
use keyring::Keyring;
use membership::Drains;
use storage::Table;
use tables::Rows;
use tokio::sync::{Notify, mpsc};
use types::{Clock, FunctionArn, Random, RequestId};

use crate::code_location::{self, CodeLinks};
use crate::code_storage::CodeStorage;
use crate::config::Config;
use crate::function_rows::FunctionRows;
use crate::provisioning::Provisioner;
use crate::settle::{Job, Missed, Settler};
use crate::source::PackageSource;
use crate::stacks;
use crate::throttle::Throttle;
use crate::unused_packages::UnusedPackages;
use crate::uploads::Uploads;
use crate::workers;

/// The largest request body (AWS: a 50 MB package in base64, and room for the rest).
pub const REQUEST_BYTES_MAX: usize = 70_167_211;
/// Functions that wait to be settled. When it is full, the settler finds them by itself, later.
const JOBS_MAX: usize = 1_024;

/// What the control plane needs.
pub struct Dependencies {
    /// Where functions are stored.
    pub table: Arc<dyn Table>,
    /// Where their code is stored.
    pub code: Arc<Packages>,
    /// Unpacks it where it will run.
    pub preparation: Arc<dyn Preparation>,
    /// Knows the workers.
    pub placement: Arc<dyn Placement>,
    /// Tells hosts to drain; none where there is one worker only.
    pub drains: Option<Drains>,
    /// Where packages are read from that are not sent in a request.
    pub packages: Arc<dyn PackageSource>,
    /// Verifies signatures.
    pub authenticator: Arc<Authenticator>,
    /// What is known about execution roles.
    pub roles: Arc<dyn Roles>,
    /// Signs links to packages; no one else has it.
    pub keyring: Arc<Keyring>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub random: Arc<dyn Random>,
    /// What the operator has configured.
    pub config: Config,
}

/// The control plane. Cheap to share behind an `Arc`; all state is in the stores.
pub struct Control {
    pub(crate) rows: Arc<Rows>,
    pub(crate) functions: FunctionRows,
    pub(crate) code: Arc<Packages>,
    pub(crate) placement: Arc<dyn Placement>,
    pub(crate) drains: Option<Drains>,
    pub(crate) packages: Arc<dyn PackageSource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) config: Config,
    pub(crate) links: CodeLinks,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) roles: Arc<dyn Roles>,
    jobs: mpsc::Sender<Job>,
    missed: Missed,
    pub(crate) code_storage: CodeStorage,
    pub(crate) uploads: Uploads,
    pub(crate) throttle: Throttle,
    /// Something about provisioned concurrency has changed.
    provision: Arc<Notify>,
}

/// Whether a path is of Lambent's own API, which is answered here whatever the request was signed for.
pub fn is_own(path: &str) -> bool {
    path.starts_with(code_location::PATH)
        || path.starts_with(stacks::PATH)
        || workers::is_of_workers(path)
}

impl Control {
    /// A control plane and the part of it that works in the background: run that for as long as this
    /// serves.
    pub fn new(dependencies: Dependencies) -> (Self, Settler) {
        let Dependencies {
            table,
            code,
            preparation,
            placement,
            drains,
            packages,
            authenticator,
            roles,
            keyring,
            clock,
            random,
            config,
        } = dependencies;
        let rows = Arc::new(Rows::new(table));
        let functions = FunctionRows::new(Arc::clone(&rows));
        let (jobs, waiting) = mpsc::channel(JOBS_MAX);
        let missed = Missed::default();
        let settler = Settler::new(
            functions.clone(),
            preparation,
            Arc::clone(&random),
            waiting,
            Arc::clone(&missed),
        );
        let control = Self {
            rows,
            functions,
            code,
            placement,
            drains,
            packages,
            authenticator,
            roles,
            clock,
            random,
            code_storage: CodeStorage::default(),
            uploads: Uploads::default(),
            throttle: Throttle::new(config.rates, config.shares.clone()),
            provision: Arc::default(),
            config,
            links: CodeLinks::new(&keyring),
            jobs,
            missed,
        };
        (control, settler)
    }

    /// Answers a request to Lambda (all operations but the invokes) or to Lambent's own API, or for a
    /// package by a link we issued; never fails. It must not be dropped before its end: a change of
    /// several rows would stop half way.
    pub async fn answer(&self, parts: &Parts, body: &Bytes, id: RequestId) -> Response<Bytes> {
        let path = parts.uri.path();
        let answer = if path.starts_with(code_location::PATH) {
            self.code(parts).await
        } else if path.starts_with(stacks::PATH) {
            self.stacks(parts, body).await
        } else if workers::is_of_workers(path) {
            self.of_workers(parts, body).await
        } else {
            self.operation(parts, body).await
        };
        answer.unwrap_or_else(|failure| failure.answer().response(id))
    }

    /// Asks the settler to check a function. Loses nothing if it cannot take the request: it then
    /// checks all functions.
    pub(crate) fn settle(&self, arn: &FunctionArn) {
        let job = Job {
            scope: arn.scope.clone(),
            name: arn.name.clone(),
        };
        if self.jobs.try_send(job).is_err() {
            self.missed.store(true, Ordering::Relaxed);
        }
    }

    /// The part that keeps provisioned concurrency as it was requested: run that, too, by a lease.
    pub fn provisioner(&self, assignment: Arc<dyn Assignment>) -> Provisioner {
        Provisioner::new(
            Arc::clone(&self.rows),
            assignment,
            Arc::clone(&self.provision),
        )
    }

    /// The part that removes packages which nothing names any more: run that, too, by a lease.
    pub fn unused_packages(&self) -> UnusedPackages {
        UnusedPackages::new(
            Arc::clone(&self.rows),
            Arc::clone(&self.code),
            Arc::clone(&self.clock),
            self.config.unused_packages_kept,
            self.config.operators_packages.clone(),
        )
    }

    /// Has provisioned concurrency reconciled without delay.
    pub(crate) fn provision(&self) {
        self.provision.notify_one();
    }

    pub(crate) fn new_revision_id(&self) -> String {
        self.random.uuid().to_string()
    }
}
