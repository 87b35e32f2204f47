//! From a request to an answer: who asks, what for, may they.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::assignment::Assignment;
use authn::authorisation::Requester;
use authn::identity::{Identities, PrincipalKind};
use authn::{Authenticator, run_blocking};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use image::Images;
use policy::Context;
use storage::Table;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::TaskTracker;
use types::{Clock, FunctionArn, Random, RequestId, Scope};
use wire::authority::authority;
use wire::function_name::{Naming, resolve};
use wire::json_rpc::JsonError;
use wire::query::{IAM_NAMESPACE, Query, QueryError, STS_NAMESPACE};
use wire::rest::{Match, Operation, check_query, route};
use wire::sigv4::Signed;
use wire::uri::query_value;
use wire::{ApiError, model, shortened, sigv4};

use crate::authorise::Standing;
use crate::cloudwatch::{CloudWatch, Keeper as LogKeeper};
use crate::code_location::{self, CodeLinks};
use crate::code_storage::CodeStorage;
use crate::config::Config;
use crate::failure::{Failure, answering};
use crate::iam::{Iam, KeyUses};
use crate::identity::{MasterSecret, Sessions, UserKeys};
use crate::logs::LogStore;
use crate::metrics::Metrics;
use crate::protocol::{self, Protocol};
use crate::provisioning::Provisioner;
use crate::rows::Rows;
use crate::settle::{Job, Missed, Settler};
use crate::source::PackageSource;
use crate::sts::{self, Sts};
use crate::throttle::Throttle;
use crate::unused_packages::UnusedPackages;
use crate::uploads::Uploads;
use crate::{absent, stacks};

/// The largest request body (AWS: a 50 MB package in base64, and room for the rest).
pub const REQUEST_BYTES_MAX: usize = 70_167_211;
/// Functions that wait to be settled. When it is full the settler finds them by itself, later.
const JOBS_MAX: usize = 1_024;

/// What the control plane needs.
pub struct Dependencies {
    /// Where functions are written down.
    pub table: Arc<dyn Table>,
    /// Where their code is kept.
    pub images: Arc<Images>,
    /// Where packages are that are not sent in a request.
    pub packages: Arc<dyn PackageSource>,
    /// Who has which access key.
    pub identities: Arc<dyn Identities>,
    /// Verifies their signatures.
    pub authenticator: Arc<Authenticator>,
    /// Keys of our own are derived from it.
    pub master: Arc<MasterSecret>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub random: Arc<dyn Random>,
    /// Keeps what functions print.
    pub logs: Arc<LogStore>,
    /// What the operator says.
    pub config: Config,
    /// What is counted.
    pub metrics: Metrics,
}

/// The control plane. Cheap to share behind an `Arc`; all state is in the stores.
pub struct Control {
    pub(crate) rows: Arc<Rows>,
    pub(crate) images: Arc<Images>,
    pub(crate) packages: Arc<dyn PackageSource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) config: Config,
    pub(crate) links: CodeLinks,
    iam: Arc<Iam>,
    pub(crate) sts: Sts,
    pub(crate) authenticator: Arc<Authenticator>,
    /// Requests under way.
    tasks: TaskTracker,
    cloudwatch: CloudWatch,
    jobs: mpsc::Sender<Job>,
    missed: Missed,
    pub(crate) code_storage: CodeStorage,
    pub(crate) uploads: Uploads,
    throttle: Throttle,
    /// Something about provisioned concurrency has changed.
    provision: Arc<Notify>,
    metrics: Metrics,
}

/// One verified request.
pub(crate) struct Call<'r> {
    pub(crate) requester: Requester,
    /// What policies say about the function it names.
    pub(crate) standing: Standing,
    /// The caller's account, and the region they signed for.
    pub(crate) scope: Scope,
    pub(crate) matched: Match,
    pub(crate) query: Option<&'r str>,
    pub(crate) body: &'r Bytes,
    /// The host the caller reached us by.
    pub(crate) host: &'r str,
}

impl Control {
    /// A control plane and the part of it that works in the background: run that for as long as
    /// this serves.
    pub fn new(dependencies: Dependencies) -> (Self, Settler, LogKeeper) {
        let Dependencies {
            table,
            images,
            packages,
            identities,
            authenticator,
            master,
            clock,
            random,
            logs,
            config,
            metrics,
        } = dependencies;
        let rows = Arc::new(Rows::new(table));
        let (cloudwatch, keeper) = CloudWatch::new(
            Arc::clone(&rows),
            logs,
            Arc::clone(&clock),
            config.log_retention_days,
        );
        let (jobs, waiting) = mpsc::channel(JOBS_MAX);
        let iam = Iam::new(
            Arc::clone(&rows),
            Arc::clone(&clock),
            Arc::clone(&random),
            UserKeys::new(&master),
            Arc::clone(&identities),
        );
        let iam = Arc::new(iam);
        let sts = Sts {
            rows: Arc::clone(&rows),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            sessions: Sessions::new(&master),
            identities: Arc::clone(&identities),
        };
        let missed = Missed::default();
        let settler = Settler::new(
            Arc::clone(&rows),
            Arc::clone(&images),
            Arc::clone(&random),
            waiting,
            Arc::clone(&missed),
        );
        let control = Self {
            rows,
            images,
            packages,
            authenticator,
            clock,
            random,
            code_storage: CodeStorage::default(),
            uploads: Uploads::default(),
            throttle: Throttle::new(config.rates),
            provision: Arc::default(),
            config,
            metrics,
            links: CodeLinks::new(&master),
            iam,
            sts,
            tasks: TaskTracker::new(),
            cloudwatch,
            jobs,
            missed,
        };
        (control, settler, keeper)
    }

    /// Serves a request to Lambda (all operations but the invokes) or STS, or for a package by a
    /// link we gave out. `size` is how many bytes the body had; of one larger than
    /// [`REQUEST_BYTES_MAX`] nothing needs to be here: it is refused as too large.
    ///
    /// What has begun is carried out to its end, whether its caller still listens or not: a change of several
    /// rows does not stop half way because a client has hung up.
    pub async fn handle(self: &Arc<Self>, request: Request<Bytes>, size: usize) -> Response<Bytes> {
        let control = Arc::clone(self);
        let handling = self
            .tasks
            .spawn(async move { control.carry_out(request, size).await });
        handling
            .await
            .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }

    /// Waits for the requests under way. None must begin any more.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn carry_out(&self, request: Request<Bytes>, size: usize) -> Response<Bytes> {
        let request_id = RequestId::random(self.random.as_ref());
        let (parts, body) = request.into_parts();
        let answer = self.answer(&parts, &body, (size, request_id));
        let mut response = answering(request_id, answer).await;
        let id = HeaderValue::from_str(&request_id.to_string()).expect("a UUID is a header value");
        response.headers_mut().insert("x-amzn-requestid", id);
        self.metrics.answered(response.status());
        response
    }

    async fn answer(
        &self,
        parts: &Parts,
        body: &Bytes,
        (size, request_id): (usize, RequestId),
    ) -> Response<Bytes> {
        if let Some(refusal) = oversized(parts, size) {
            protocol::refused(parts, refusal, request_id)
        } else if parts.uri.path().starts_with(code_location::PATH) {
            let answer = self.code(parts).await;
            answer.unwrap_or_else(|failure| failure.answer().response(request_id))
        } else if parts.uri.path().starts_with(stacks::PATH) {
            let answer = self.stacks(parts, body).await;
            answer.unwrap_or_else(|failure| failure.answer().response(request_id))
        } else {
            self.by_protocol(parts, body, request_id).await
        }
    }

    /// What comes of a request, in the protocol that it speaks.
    async fn by_protocol(&self, parts: &Parts, body: &Bytes, id: RequestId) -> Response<Bytes> {
        let namespace = match Protocol::of(parts) {
            Protocol::Rest => {
                if let Some(refusal) = absent::refusal(parts, id) {
                    return refusal;
                }
                let answer = self.lambda(parts, body).await;
                return answer.unwrap_or_else(|failure| failure.answer().response(id));
            }
            Protocol::Logs => {
                let answer = self.logs(parts, body).await;
                return answer.unwrap_or_else(|error| error.response(id));
            }
            Protocol::Sts => STS_NAMESPACE,
            Protocol::Iam => IAM_NAMESPACE,
        };
        let answer = self.query(parts, body, id).await;
        answer.unwrap_or_else(|error| error.response(namespace, id))
    }

    /// Asks the settler to look at a function. Loses nothing if it cannot take the request: it
    /// then looks at all functions.
    pub(crate) fn settle(&self, arn: &FunctionArn) {
        let job = Job {
            scope: arn.scope.clone(),
            name: arn.name.clone(),
        };
        if self.jobs.try_send(job).is_err() {
            self.missed.store(true, Ordering::Relaxed);
        }
    }

    /// The part that keeps provisioned concurrency as it was asked for: run that, too, and only one.
    pub fn provisioner(&self, assignment: Arc<dyn Assignment>) -> Provisioner {
        Provisioner::new(
            Arc::clone(&self.rows),
            assignment,
            Arc::clone(&self.provision),
        )
    }

    /// The part that removes packages which nothing names any more: run that, too, and only one.
    pub fn unused_packages(&self) -> UnusedPackages {
        UnusedPackages::new(
            Arc::clone(&self.rows),
            Arc::clone(&self.images),
            Arc::clone(&self.clock),
            self.config.unused_packages_kept,
            self.config.operators_packages.clone(),
        )
    }

    /// The part that writes down when users' access keys were used: run that, too.
    pub fn key_uses(&self) -> KeyUses {
        KeyUses::new(Arc::clone(&self.iam))
    }

    /// Has provisioned concurrency looked at without delay.
    pub(crate) fn provision(&self) {
        self.provision.notify_one();
    }

    pub(crate) fn new_revision_id(&self) -> String {
        self.random.uuid().to_string()
    }

    async fn lambda(&self, parts: &Parts, body: &Bytes) -> Result<Response<Bytes>, Failure> {
        let (path, query) = (parts.uri.path(), parts.uri.query());
        let matched = route(&parts.method, path, query);
        let signed = Signed::parse(parts).map_err(ApiError::from)?;
        signed.require_service("lambda").map_err(ApiError::from)?;
        let requester = self
            .authenticator
            .authenticate(&signed, parts, body)
            .await
            .map_err(ApiError::from)?;
        let matched = matched.ok_or_else(|| unknown_operation(parts))?;
        check_query(query)?;
        let region = self.config.region(&signed)?;
        let scope = Scope {
            account: requester.account().clone(),
            region,
        };
        let call = Call {
            standing: self.standing(&requester, &matched, query, &scope).await?,
            requester,
            scope,
            matched,
            query,
            body,
            host: authority(parts)
                .ok()
                .filter(|host| !host.is_empty())
                .unwrap_or("localhost"),
        };
        let operation = call.matched.operation;
        self.throttle
            .admit(self.clock.now(), &call.scope, operation)?;
        call.check_model().await?;
        self.dispatch(&call).await
    }

    async fn dispatch(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        match call.matched.operation {
            Operation::CreateFunction => self.create_function(call).await,
            Operation::GetFunction => self.get_function(call).await,
            Operation::GetFunctionConfiguration => self.get_function_configuration(call).await,
            Operation::ListFunctions => self.list_functions(call).await,
            Operation::UpdateFunctionCode => self.update_function_code(call).await,
            Operation::UpdateFunctionConfiguration => {
                self.update_function_configuration(call).await
            }
            Operation::DeleteFunction => self.delete_function(call).await,
            Operation::PublishVersion => self.publish_version(call).await,
            Operation::ListVersionsByFunction => self.list_versions(call).await,
            Operation::CreateAlias => self.create_alias(call).await,
            Operation::GetAlias => self.get_alias(call).await,
            Operation::ListAliases => self.list_aliases(call).await,
            Operation::UpdateAlias => self.update_alias(call).await,
            Operation::DeleteAlias => self.delete_alias(call).await,
            Operation::PutFunctionConcurrency => self.put_concurrency(call).await,
            Operation::GetFunctionConcurrency => self.get_concurrency(call).await,
            Operation::DeleteFunctionConcurrency => self.delete_concurrency(call).await,
            Operation::PublishLayerVersion => self.publish_layer_version(call).await,
            Operation::GetLayerVersion => self.get_layer_version(call).await,
            Operation::GetLayerVersionByArn => self.get_layer_version_by_arn(call).await,
            Operation::AddLayerVersionPermission => self.add_layer_permission(call).await,
            Operation::GetLayerVersionPolicy => self.get_layer_policy(call).await,
            Operation::RemoveLayerVersionPermission => self.remove_layer_permission(call).await,
            Operation::ListLayers => self.list_layers(call).await,
            Operation::ListLayerVersions => self.list_layer_versions(call).await,
            Operation::DeleteLayerVersion => self.delete_layer_version(call).await,
            Operation::CreateFunctionUrlConfig => self.create_url(call).await,
            Operation::GetFunctionUrlConfig => self.get_url(call).await,
            Operation::UpdateFunctionUrlConfig => self.update_url(call).await,
            Operation::DeleteFunctionUrlConfig => self.delete_url(call).await,
            Operation::ListFunctionUrlConfigs => self.list_urls(call).await,
            Operation::PutProvisionedConcurrencyConfig => self.put_provisioned(call).await,
            Operation::GetProvisionedConcurrencyConfig => self.get_provisioned(call).await,
            Operation::DeleteProvisionedConcurrencyConfig => self.delete_provisioned(call).await,
            Operation::ListProvisionedConcurrencyConfigs => self.list_provisioned(call).await,
            Operation::GetAccountSettings => self.account_settings(call).await,
            Operation::AddPermission => self.add_permission(call).await,
            Operation::RemovePermission => self.remove_permission(call).await,
            Operation::GetPolicy => self.get_policy(call).await,
            Operation::TagResource => self.tag_resource(call).await,
            Operation::UntagResource => self.untag_resource(call).await,
            Operation::ListTags => self.list_tags(call).await,
            Operation::PutFunctionEventInvokeConfig => self.put_event_invoke_config(call).await,
            Operation::UpdateFunctionEventInvokeConfig => {
                self.update_event_invoke_config(call).await
            }
            Operation::GetFunctionEventInvokeConfig => self.get_event_invoke_config(call).await,
            Operation::DeleteFunctionEventInvokeConfig => {
                self.delete_event_invoke_config(call).await
            }
            Operation::ListFunctionEventInvokeConfigs => self.list_event_invoke_configs(call).await,
            Operation::CreateEventSourceMapping => self.create_mapping(call).await,
            Operation::UpdateEventSourceMapping => self.update_mapping(call).await,
            Operation::GetEventSourceMapping => self.get_mapping(call).await,
            Operation::DeleteEventSourceMapping => self.delete_mapping(call).await,
            Operation::ListEventSourceMappings => self.list_mappings(call).await,
            Operation::CreateCodeSigningConfig => self.create_code_signing(call).await,
            Operation::UpdateCodeSigningConfig => self.update_code_signing(call).await,
            Operation::GetCodeSigningConfig => self.get_code_signing(call).await,
            Operation::ListCodeSigningConfigs => self.list_code_signings(call).await,
            Operation::DeleteCodeSigningConfig => self.delete_code_signing(call).await,
            Operation::PutFunctionCodeSigningConfig => self.put_function_code_signing(call).await,
            Operation::GetFunctionCodeSigningConfig => self.get_function_code_signing(call).await,
            Operation::DeleteFunctionCodeSigningConfig => {
                self.delete_function_code_signing(call).await
            }
            Operation::ListFunctionsByCodeSigningConfig => {
                self.list_functions_by_code_signing(call).await
            }
            Operation::PutFunctionRecursionConfig => self.put_recursion(call).await,
            Operation::GetFunctionRecursionConfig => self.get_recursion(call).await,
            Operation::PutRuntimeManagementConfig => self.put_runtime_management(call).await,
            Operation::GetRuntimeManagementConfig => self.get_runtime_management(call).await,
            other => {
                call.authorise(&call.scope.account, "*")?;
                Err(ApiError::not_implemented(other.name()).into())
            }
        }
    }

    async fn logs(&self, parts: &Parts, body: &Bytes) -> Result<Response<Bytes>, JsonError> {
        let signed = Signed::parse(parts).map_err(ApiError::from)?;
        let requester = self
            .authenticator
            .authenticate(&signed, parts, body)
            .await
            .map_err(ApiError::from)?;
        let region = self.config.region(&signed)?;
        self.cloudwatch
            .answer(parts, body, &requester, region)
            .await
    }

    async fn query(
        &self,
        parts: &Parts,
        body: &Bytes,
        request_id: RequestId,
    ) -> Result<Response<Bytes>, QueryError> {
        let query = Query::parse(parts, body)?;
        let signed = match Signed::parse(parts) {
            Err(sigv4::Error::Missing) => {
                let missing = QueryError::from(sigv4::Error::Missing);
                return Err(sts::unsigned(&query).unwrap_or(missing));
            }
            signed => signed?,
        };
        if signed.service != "iam" {
            signed.require_service("sts")?;
        }
        let requester = self
            .authenticator
            .authenticate(&signed, parts, body)
            .await?;
        if signed.service != "iam" {
            let call = sts::Call {
                requester: &requester,
                query: &query,
                access_key_id: &signed.access_key_id,
            };
            return self.sts.answer(&call, request_id).await;
        }
        // Users and accounts do not speak to IAM with temporary keys, unless by a second factor.
        let kind = requester.principal().map(|principal| &principal.kind);
        if requester.session().is_some() && !matches!(kind, Some(PrincipalKind::Role { .. })) {
            return Err(QueryError::invalid_client_token());
        }
        self.iam.answer(&requester, &query, request_id).await
    }
}

impl Call<'_> {
    /// Refuses what breaks the model's constraints, so that operations see none of it.
    async fn check_model(&self) -> Result<(), ApiError> {
        let (matched, body) = (self.matched.clone(), self.body.clone());
        let query = self.query.map(str::to_owned);
        run_blocking(body.len(), move || {
            model::check(&matched, query.as_deref(), &body)
        })
        .await
    }

    /// The function that the path and `Qualifier` name, if the caller may do this to it.
    pub(crate) fn function(&self, naming: Naming) -> Result<FunctionArn, ApiError> {
        let arn = self.named_function(naming)?;
        self.authorise(&arn.scope.account, &arn.to_string())?;
        Ok(arn)
    }

    /// The function that the path and `Qualifier` name, whatever the caller may do.
    pub(crate) fn named_function(&self, naming: Naming) -> Result<FunctionArn, ApiError> {
        let name = self.matched.parameter("FunctionName");
        let qualifier = query_value(self.query, "Qualifier");
        resolve(naming, name, qualifier.as_deref(), &self.scope)
    }

    /// The function that the path names, of an operation that is about the whole function.
    pub(crate) fn unqualified_function(&self) -> Result<FunctionArn, ApiError> {
        self.unqualified_function_with(Context::new())
    }

    /// The same, with condition keys that the operation has.
    pub(crate) fn unqualified_function_with(
        &self,
        context: Context,
    ) -> Result<FunctionArn, ApiError> {
        let name = self.matched.parameter("FunctionName");
        let arn = resolve(Naming::Plain, name, None, &self.scope)?;
        self.authorise_with(&arn.scope.account, &arn.to_string(), context)?;
        Ok(arn)
    }
}

fn unknown_operation(parts: &Parts) -> ApiError {
    let message = format!(
        "Unknown operation: {} {}",
        parts.method,
        shortened(parts.uri.path())
    );
    ApiError::new(
        http::StatusCode::NOT_FOUND,
        "UnknownOperationException",
        wire::error::Fault::Unsaid,
        message,
    )
}

/// The refusal of a body that is larger than any request, whatever it is for and whoever signed it.
fn oversized(parts: &Parts, size: usize) -> Option<ApiError> {
    if size <= REQUEST_BYTES_MAX {
        return None;
    }
    let matched = route(&parts.method, parts.uri.path(), parts.uri.query());
    let operation = matched.map_or(Operation::CreateFunction, |matched| matched.operation);
    Some(ApiError::too_large(format!(
        "Request must be smaller than {REQUEST_BYTES_MAX} bytes for the {} operation",
        operation.name()
    )))
}
