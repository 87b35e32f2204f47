//! CreateFunction.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::functions::{Code, Configuration, Function, LastUpdate, Logging, SnapStart, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Response, StatusCode};
use image::Published;
use serde::Deserialize;
use types::limits::{
    EPHEMERAL_MB_MIN, MEMORY_MB_DEFAULT, TIMEOUT_SECONDS_DEFAULT, ZIP_UPLOAD_BYTES_MAX,
};
use types::{FunctionArn, Random, Version};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::rest::Operation;
use wire::validation::Violations;

use super::rules::{check_environment, check_role, check_runtime, check_tags};
use super::settings::{ARCHITECTURES, Settings};
use super::shape::FunctionConfiguration;
use crate::answer::json;
use crate::body::{aside, parse};
use crate::failure::Failure;
use crate::service::{Call, Control, too_large};

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

/// `Code` here, and the same members of UpdateFunctionCode.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CodeMembers {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    image_uri: Option<String>,
}

impl Control {
    pub(crate) async fn create_function(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let mut body: Body = parse(call.body).await?;
        body.violations()?;
        let arn = body.name(call)?;
        call.authorise(&arn.scope.account, &arn.to_string())?;
        body.check(self, &arn)?;
        // Looked at before the work with the package, and decided when the row is written.
        let taken = || ApiError::conflict(format!("Function already exist: {}", arn.name));
        if self.rows.function(&arn.scope, &arn.name).await?.is_some() {
            return Err(taken().into());
        }
        let code = body.code.take().unwrap_or_default();
        let published = self.publish_code(code, Operation::CreateFunction).await?;
        let latest = body.configuration(self, &arn, &published);
        let publish = body.publish == Some(true);
        let function = Function {
            scope: arn.scope.clone(),
            name: arn.name.clone(),
            publishing: publish.then(|| Arc::new(first_version(self, &latest))),
            serving: None,
            published: 0,
            published_generation: if publish { latest.generation } else { 0 },
            reserved_concurrency: None,
            tags: body.tags.unwrap_or_default(),
            latest,
        };
        let revision = self.rows.create(&function).await?.ok_or_else(taken)?;
        // A function of this name that was being deleted when we crashed may have left rows.
        self.rows.sweep(&arn.scope, &arn.name, revision).await?;
        if publish {
            self.rows.finish_publishing(&arn).await?;
        }
        self.settle(&arn);
        let shown = function.publishing.as_deref().unwrap_or(&function.latest);
        Ok(json(
            StatusCode::CREATED,
            &FunctionConfiguration::new(&arn, shown),
        ))
    }

    /// Checks a request's package and keeps it.
    pub(super) async fn publish_code(
        &self,
        code: CodeMembers,
        operation: Operation,
    ) -> Result<Published, Failure> {
        let text = code.source()?;
        let decoded = aside(text.len(), move || BASE64.decode(text)).await;
        let zip = decoded.map_err(|_| {
            // The base64 itself is the SDK's part; what is wrong here never was a package.
            ApiError::serialization("Could not parse request body into json: ZipFile is not base64")
        })?;
        if zip.is_empty() {
            let message = "Uploaded file must be a non-empty zip";
            return Err(ApiError::invalid_parameter(message).into());
        }
        if zip.len() > ZIP_UPLOAD_BYTES_MAX {
            return Err(too_large(operation).into());
        }
        self.images
            .publish(Bytes::from(zip))
            .await
            .map_err(|error| {
                match error {
            image::Error::TooLarge { limit } => ApiError::invalid_parameter(format!(
                "Unzipped size must be smaller than {limit} bytes"
            ))
            .into(),
            error if error.is_package() => ApiError::invalid_parameter(
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            )
            .into(),
            error => Failure::Images(error),
        }
            })
    }
}

impl CodeMembers {
    /// The package, still in base64.
    fn source(self) -> Result<String, ApiError> {
        let s3 = self.s3_bucket.is_some() || self.s3_key.is_some();
        match self.zip_file {
            Some(_) if s3 || self.image_uri.is_some() => Err(ApiError::invalid_parameter(
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            )),
            Some(zip) => Ok(zip),
            None if self.image_uri.is_some() => {
                Err(ApiError::not_implemented("container images (ImageUri)"))
            }
            None if s3 => Err(ApiError::not_implemented("code from S3 (S3Bucket)")),
            None => Err(ApiError::invalid_parameter(
                "Please provide a source for function code.",
            )),
        }
    }
}

impl Body {
    fn violations(&self) -> Result<(), ApiError> {
        let mut violations = Violations::new();
        violations.required("functionName", self.function_name.as_ref());
        violations.required("role", self.settings.role.as_ref());
        violations.required("code", self.code.as_ref());
        violations.one_of(
            "packageType",
            self.package_type.as_deref(),
            &["Zip", "Image"],
        );
        let architectures = self.architectures.as_deref();
        violations.count("architectures", architectures, 1, 1);
        violations.each_one_of("architectures", architectures, &ARCHITECTURES);
        self.settings.violations(&mut violations);
        violations.finish()
    }

    /// The new function's name, which may be given as an ARN of the caller's own account.
    fn name(&self, call: &Call<'_>) -> Result<FunctionArn, ApiError> {
        let text = self.function_name.as_deref().unwrap_or_default();
        if !text.contains(':') && text.chars().count() > NAME_CHARACTERS_MAX {
            // Lambda words this like a constraint of the model, and calls it otherwise.
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
        self.settings.refuse_later_features()?;
        let later = [
            (
                self.package_type.as_deref() == Some("Image"),
                "container images (PackageType Image)",
            ),
            (
                self.code_signing_config_arn.is_some(),
                "code signing (CodeSigningConfigArn)",
            ),
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
        check_runtime(runtime, &control.config.runtimes)?;
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

    fn configuration(
        &mut self,
        control: &Control,
        arn: &FunctionArn,
        published: &Published,
    ) -> Configuration {
        let settings = std::mem::take(&mut self.settings);
        // The model's constraints hold by now, so every number fits.
        let number = |given: Option<i64>, default: u32| {
            given
                .and_then(|given| u32::try_from(given).ok())
                .unwrap_or(default)
        };
        let log_group = settings
            .logging_config
            .and_then(|logging| logging.log_group);
        let architecture = self.architectures.take().unwrap_or_default().pop();
        Configuration {
            version: Version::Latest,
            generation: first_generation(control.random.as_ref()),
            revision_id: control.new_revision_id(),
            runtime: settings.runtime,
            handler: settings.handler,
            role: settings.role.unwrap_or_default(),
            description: settings.description.unwrap_or_default(),
            timeout_seconds: number(settings.timeout, TIMEOUT_SECONDS_DEFAULT),
            memory_mb: number(settings.memory_size, MEMORY_MB_DEFAULT),
            ephemeral_mb: number(
                settings.ephemeral_storage.and_then(|storage| storage.size),
                EPHEMERAL_MB_MIN,
            ),
            environment: settings
                .environment
                .map(|e| e.variables.unwrap_or_default()),
            architecture: architecture.unwrap_or_else(|| ARCHITECTURES[0].to_owned()),
            tracing_mode: settings
                .tracing_config
                .and_then(|tracing| tracing.mode)
                .unwrap_or_else(|| "PassThrough".to_owned()),
            logging: Logging {
                group: log_group.unwrap_or_else(|| format!("/aws/lambda/{}", arn.name)),
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
        }
    }
}

/// Where a new function's generations begin: somewhere else each time, so that environments of a
/// deleted function are never taken for those of a new one of the same name. 48 bits leave room
/// to count upward.
fn first_generation(random: &dyn Random) -> u64 {
    1 + (random.next_u64() >> 16)
}

/// A package as a configuration names it.
pub(super) fn code(published: &Published) -> Code {
    Code {
        image: published.image.clone(),
        sha256: published.sha256_base64.clone(),
        bytes: published.bytes,
    }
}

fn first_version(control: &Control, latest: &Configuration) -> Configuration {
    Configuration {
        version: Version::Published(1),
        revision_id: control.new_revision_id(),
        ..latest.clone()
    }
}
