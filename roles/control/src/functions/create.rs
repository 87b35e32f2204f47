//! CreateFunction.

use std::collections::BTreeMap;
use std::sync::Arc;

use authn::authorisation::request_tags;
use bytes::Bytes;
use http::{Response, StatusCode};
use image::Published;
use policy::Context;
use records::functions::{Code, Configuration, Function, LastUpdate, Logging, SnapStart, State};
use serde::Deserialize;
use settings::functions::{
    FunctionConfiguration, Resolved, Settings, check_combinations, check_environment, check_role,
    check_runtime, check_tags,
};
use types::limits::{EPHEMERAL_MB_MIN, MEMORY_MB_DEFAULT, TIMEOUT_SECONDS_DEFAULT};
use types::{FunctionArn, Random, Version};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::rest::Operation;
use wire::validation::Violations;

use super::package::CodeMembers;
use crate::answer::json;
use crate::body::parse;
use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

/// The longest bare name of a new function (AWS).
const NAME_CHARACTERS_MAX: usize = 64;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    function_name: Option<String>,
    code: Option<CodeMembers>,
    publish: Option<bool>,
    tags: Option<BTreeMap<String, String>>,
    architectures: Option<Vec<String>>,
    package_type: Option<String>,
    code_signing_config_arn: Option<String>,
    publish_to: Option<String>,
    tenancy_config: Option<serde_json::Value>,
    #[serde(flatten)]
    settings: Settings,
}

impl Control {
    pub(crate) async fn create_function(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let mut body: Body = parse(call.body).await?;
        body.violations()?;
        let arn = body.name(call)?;
        call.authorise_with(&arn.scope.account, &arn.to_string(), body.context(self))?;
        body.check(self, &arn)?;
        self.check_layer_regions(call, &body.settings)?;
        let role = body.settings.role.as_deref().unwrap_or_default();
        self.check_pass_role(call, role, &arn).await?;
        // Checked before the work with the package, and decided when the row is written.
        let taken = || ApiError::conflict(format!("Function already exist: {}", arn.name));
        if self
            .functions
            .function(&arn.scope, &arn.name)
            .await?
            .is_some()
        {
            return Err(taken().into());
        }
        let signing = self
            .signing_of_new(&arn, body.code_signing_config_arn.as_deref())
            .await?;
        let resolved = self.resolve(call, &body.settings).await?;
        let code = body.code.take().unwrap_or_default();
        let published = self
            .publish_code(call, code, (Operation::CreateFunction, &arn.scope))
            .await?;
        let latest = body.configuration(self, &arn, &published, &resolved)?;
        self.check_dead_letter_rights(&arn, &latest).await?;
        let publish = body.publish == Some(true);
        let function = Function {
            scope: arn.scope.clone(),
            name: arn.name.clone(),
            instance: self.random.uuid().to_string(),
            publishing: publish.then(|| Arc::new(first_version(self, &latest))),
            serving: None,
            published: 0,
            published_generation: if publish { latest.generation } else { 0 },
            reserved_concurrency: None,
            tags: body.tags.unwrap_or_default(),
            latest,
        };
        let revision = self.functions.create(&function).await?.ok_or_else(taken)?;
        // A function of this name that was being deleted when we crashed may have left rows.
        self.functions
            .sweep(&arn.scope, &arn.name, revision)
            .await?;
        if let Some(config) = &signing {
            self.sign_function(&arn, config).await?;
        }
        if publish {
            self.functions.finish_publishing(&arn).await?;
        }
        self.settle(&arn);
        let shown = function.publishing.as_deref().unwrap_or(&function.latest);
        Ok(json(
            StatusCode::CREATED,
            &FunctionConfiguration::new(&arn, shown),
        ))
    }
}

impl Body {
    /// The condition keys that CreateFunction has.
    fn context(&self, control: &Control) -> Context {
        let mut context = self.settings.context(&control.config.vpc_id);
        if let Some(config) = &self.code_signing_config_arn {
            context.set("lambda:CodeSigningConfigArn", config.clone());
        }
        if let Some(tags) = &self.tags {
            context.extend(request_tags(tags));
        }
        context
    }

    fn violations(&self) -> Result<(), ApiError> {
        let mut violations = Violations::new();
        self.settings.violations(&mut violations);
        violations.finish()
    }

    /// The new function's name, which may be given as an ARN of the caller's own account.
    fn name(&self, call: &Call<'_>) -> Result<FunctionArn, ApiError> {
        let text = self.function_name.as_deref().unwrap_or_default();
        if !text.contains(':') && text.chars().count() > NAME_CHARACTERS_MAX {
            // Lambda words this like a constraint of the model, and has another error code for it.
            return Err(ApiError::invalid_parameter(format!(
                "1 validation error detected: Value '{text}' at 'functionName' failed to satisfy \
                 constraint: Member must have length less than or equal to {NAME_CHARACTERS_MAX}"
            )));
        }
        let arn = resolve(Naming::Plain, text, None, &call.scope)?;
        if arn.qualifier.is_some() {
            return Err(ApiError::invalid_parameter(
                "The function name of a new function must not have a qualifier.",
            ));
        }
        Ok(arn)
    }

    fn check(&self, control: &Control, arn: &FunctionArn) -> Result<(), ApiError> {
        if self.package_type.as_deref() == Some("Image") {
            return Err(self.refuse_image());
        }
        self.settings.refuse_what_is_not_for_packages()?;
        let later = [
            (self.publish_to.is_some(), "managed instances (PublishTo)"),
            (
                self.tenancy_config.is_some(),
                "tenant isolation (TenancyConfig)",
            ),
        ];
        if let Some((_, what)) = later.iter().find(|(asked, _)| *asked) {
            return Err(ApiError::not_implemented(what));
        }
        let (Some(runtime), Some(_)) = (&self.settings.runtime, &self.settings.handler) else {
            return Err(ApiError::invalid_parameter(
                "Runtime and Handler are mandatory parameters for functions created with \
                 deployment packages.",
            ));
        };
        check_runtime(runtime, &control.config.runtimes.borrow())?;
        check_role(
            self.settings.role.as_deref().unwrap_or_default(),
            &arn.scope.account,
        )?;
        if let Some(tags) = &self.tags {
            check_tags(tags)?;
        }
        match self
            .settings
            .environment
            .as_ref()
            .and_then(|e| e.variables.as_ref())
        {
            Some(variables) => check_environment(variables),
            None => Ok(()),
        }
    }

    /// Functions from images: errors in their members are reported before the fact that images are not
    /// supported yet.
    fn refuse_image(&self) -> ApiError {
        let settings = &self.settings;
        let layers = settings.layers.as_ref().is_some_and(|l| !l.is_empty());
        if settings.handler.is_some() || settings.runtime.is_some() || layers {
            return ApiError::invalid_parameter(
                "Please don't provide Handler or Runtime or Layer when the intended function \
                 PackageType is Image.",
            );
        }
        ApiError::not_implemented("container images (PackageType Image)")
    }

    fn configuration(
        &mut self,
        control: &Control,
        arn: &FunctionArn,
        published: &Published,
        resolved: &Resolved<'_>,
    ) -> Result<Configuration, ApiError> {
        let architecture = self.architectures.take().unwrap_or_default().pop();
        let mut latest = Configuration {
            version: Version::Latest,
            generation: first_generation(control.random.as_ref()),
            revision_id: control.new_revision_id(),
            runtime: None,
            handler: None,
            role: String::new(),
            description: String::new(),
            timeout_seconds: TIMEOUT_SECONDS_DEFAULT,
            memory_mb: MEMORY_MB_DEFAULT,
            ephemeral_mb: EPHEMERAL_MB_MIN,
            environment: None,
            architecture: architecture.unwrap_or_else(|| control.config.architecture.clone()),
            tracing_mode: "PassThrough".to_owned(),
            logging: Logging {
                group: format!("/aws/lambda/{}", arn.name),
                ..Logging::default()
            },
            layers: Vec::new(),
            vpc: None,
            file_systems: Vec::new(),
            dead_letter_target: None,
            kms_key: None,
            snap_start: SnapStart::None,
            code: code(published),
            last_modified: control.clock.now(),
            state: State::Pending,
            last_update: LastUpdate::Successful,
        };
        self.settings.apply(&mut latest, resolved)?;
        check_combinations(&latest, |point| {
            control.config.has_folder(&arn.scope.account, point)
        })?;
        Ok(latest)
    }
}

/// Where a new function's generations begin: at a random number, so that environments of a deleted
/// function are never mistaken for those of a new one of the same name. 48 bits leave room to count
/// upward.
fn first_generation(random: &dyn Random) -> u64 {
    1 + (random.next_u64() >> 16)
}

/// A package as a configuration names it.
pub(super) fn code(published: &Published) -> Code {
    Code {
        image: published.image.clone(),
        sha256: published.sha256_base64.clone(),
        bytes: published.bytes,
        unpacked_bytes: published.unpacked_bytes,
    }
}

fn first_version(control: &Control, latest: &Configuration) -> Configuration {
    Configuration {
        version: Version::Published(1),
        revision_id: control.new_revision_id(),
        ..latest.clone()
    }
}
