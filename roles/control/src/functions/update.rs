//! UpdateFunctionCode and UpdateFunctionConfiguration: both change `$LATEST`, and the previous version
//! serves until the change is settled.

use bytes::Bytes;
use http::{Response, StatusCode};
use policy::Context;
use records::functions::{Configuration, Function};
use serde::Deserialize;
use settings::functions::{
    FunctionConfiguration, Settings, begin_update, check_combinations, check_environment,
    check_revision, check_role, check_runtime, check_settled, version_arn,
};
use types::{FunctionArn, Version};
use wire::ApiError;
use wire::rest::Operation;
use wire::validation::Violations;

use super::create::code;
use super::package::CodeMembers;
use crate::answer::json;
use crate::body::{parse, parse_now};
use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct CodeBody {
    publish: Option<bool>,
    dry_run: Option<bool>,
    revision_id: Option<String>,
    architectures: Option<Vec<String>>,
    publish_to: Option<String>,
    #[serde(flatten)]
    code: CodeMembers,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ConfigurationBody {
    revision_id: Option<String>,
    #[serde(flatten)]
    settings: Settings,
}

impl Control {
    pub(crate) async fn update_function_code(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = latest_only(call, Context::new())?;
        let body: CodeBody = parse(call.body).await?;
        if body.publish_to.is_some() {
            return Err(ApiError::not_implemented("managed instances (PublishTo)").into());
        }
        let check = |function: &Function| {
            check_revision(body.revision_id.as_deref(), &function.latest.revision_id)?;
            check_settled(function)
        };
        // Refused before the work with the package if possible; decided when the row is written.
        self.functions.finish_publishing(&arn).await?;
        check(&self.functions.existing(&arn).await?.0)?;
        self.check_function_code(&arn).await?;
        let published = self
            .publish_code(call, body.code, (Operation::UpdateFunctionCode, &arn.scope))
            .await?;
        let architecture = body.architectures.and_then(|mut list| list.pop());
        let apply = |function: &mut Function| {
            check_revision(body.revision_id.as_deref(), &function.latest.revision_id)?;
            check_settled(function)?;
            let mut next = function.latest.clone();
            next.code = code(&published);
            next.last_modified = self.clock.now();
            if let Some(architecture) = &architecture {
                next.architecture.clone_from(architecture);
            }
            check_combinations(&next, |point| {
                self.config.has_folder(&arn.scope.account, point)
            })?;
            // New code makes a new version even if it is equal to the old code.
            next.generation += 1;
            begin_update(function, next, self.new_revision_id());
            if body.publish == Some(true) {
                self.begin_publishing(function, None)?;
            }
            Ok(())
        };
        if body.dry_run == Some(true) {
            return self.dry_run(&arn, apply).await;
        }
        let (function, ()) = self.functions.change(&arn, apply).await?;
        let mut shown = FunctionArn {
            qualifier: None,
            ..arn.clone()
        };
        let mut configuration = function.latest.clone();
        if body.publish == Some(true) {
            configuration = match function.publishing.as_deref() {
                Some(publishing) => publishing.clone(),
                None => self
                    .last_published(&function)
                    .await?
                    .unwrap_or(configuration),
            };
            shown = version_arn(&shown, &configuration);
        }
        self.functions.finish_publishing(&arn).await?;
        self.settle(&arn);
        Ok(json(
            StatusCode::OK,
            &FunctionConfiguration::new(&shown, &configuration),
        ))
    }

    pub(crate) async fn update_function_configuration(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let ConfigurationBody {
            revision_id,
            settings,
        } = parse_now(call.body)?;
        let arn = latest_only(call, settings.context(&self.config.vpc_id))?;
        let mut violations = Violations::new();
        settings.violations(&mut violations);
        violations.finish()?;
        settings.refuse_what_is_not_for_packages()?;
        if let Some(runtime) = &settings.runtime {
            check_runtime(runtime, &self.config.runtimes.borrow())?;
        }
        if let Some(role) = &settings.role {
            check_role(role, &arn.scope.account)?;
            self.check_pass_role(call, role, &arn).await?;
        }
        if let Some(variables) = settings
            .environment
            .as_ref()
            .and_then(|e| e.variables.as_ref())
        {
            check_environment(variables)?;
        }
        self.check_layer_regions(call, &settings)?;
        // A missing function is reported before errors in its layers.
        let (before, _) = self.functions.existing(&arn).await?;
        let resolved = self.resolve(call, &settings).await?;
        if settings.concerns_dead_letters() {
            let mut next = before.latest;
            settings.apply(&mut next, &resolved)?;
            self.check_dead_letter_rights(&arn, &next).await?;
        }
        let apply = |function: &mut Function| {
            check_revision(revision_id.as_deref(), &function.latest.revision_id)?;
            check_settled(function)?;
            let mut next = function.latest.clone();
            settings.apply(&mut next, &resolved)?;
            check_combinations(&next, |point| {
                self.config.has_folder(&arn.scope.account, point)
            })?;
            next.last_modified = self.clock.now();
            begin_update(function, next, self.new_revision_id());
            Ok(())
        };
        let (function, ()) = self.functions.change(&arn, apply).await?;
        self.settle(&arn);
        let shown = FunctionArn {
            qualifier: None,
            ..arn
        };
        Ok(json(
            StatusCode::OK,
            &FunctionConfiguration::new(&shown, &function.latest),
        ))
    }

    /// What the update would make of the function, which stays unchanged.
    async fn dry_run(
        &self,
        arn: &FunctionArn,
        apply: impl Fn(&mut Function) -> Result<(), ApiError>,
    ) -> Result<Response<Bytes>, Failure> {
        let (mut function, _) = self.functions.existing(arn).await?;
        let (state, last_update) = (
            function.latest.state.clone(),
            function.latest.last_update.clone(),
        );
        apply(&mut function)?;
        let would_be = Configuration {
            state,
            last_update,
            ..function.latest
        };
        let shown = FunctionArn {
            qualifier: None,
            ..arn.clone()
        };
        Ok(json(
            StatusCode::OK,
            &FunctionConfiguration::new(&shown, &would_be),
        ))
    }
}

/// The function to update. Only `$LATEST` can be updated.
fn latest_only(call: &Call<'_>, context: Context) -> Result<FunctionArn, ApiError> {
    let arn = call.unqualified_function_with(context)?;
    match &arn.qualifier {
        None | Some(types::Qualifier::Version(Version::Latest)) => Ok(arn),
        Some(_) => Err(ApiError::invalid_parameter(
            "Current operation does not support versions other than $LATEST. Please set the \
             version to $LATEST or do not set a version in your request.",
        )),
    }
}
