//! Which function has which code signing config, and what that means for its code.

use bytes::Bytes;
use http::{Response, StatusCode};
use policy::Context;
use records::code_signing::{CodeSigningConfig, Signed, Untrusted, config_arn, config_key};
use records::functions::{CODE_SIGNINGS, attached_key, function_key};
use serde::{Deserialize, Serialize};
use storage::Expect;
use tables::decode;
use types::{FunctionArn, Scope};
use wire::ApiError;
use wire::error::Fault;
use wire::function_name::Naming;

use super::parts;
use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::page::Page;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    code_signing_config_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    code_signing_config_arn: Option<String>,
    function_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    function_arns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Control {
    pub(crate) async fn put_function_code_signing(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let body: Body = parse_now(call.body)?;
        let config = &body.code_signing_config_arn;
        let context = Context::new().with("lambda:CodeSigningConfigArn", config.clone());
        let arn = whole_function(call, context.clone())?;
        // It changes both.
        call.authorise_with(&arn.scope.account, config, context)?;
        // The config is checked first.
        let config = self
            .signing_config_named(&arn, &body.code_signing_config_arn)
            .await?;
        self.functions.existing(&arn).await?;
        self.sign_function(&arn, &config).await?;
        let answer = Answer {
            code_signing_config_arn: Some(config.arn()),
            function_name: arn.name.to_string(),
        };
        Ok(json(StatusCode::OK, &answer))
    }

    /// A function without a config has an answer without one.
    pub(crate) async fn get_function_code_signing(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = whole_function(call, Context::new())?;
        self.functions.existing(&arn).await?;
        let signed = self.signed(&arn).await?;
        let answer = Answer {
            code_signing_config_arn: signed.map(|signed| config_arn(&arn.scope, &signed.config)),
            function_name: arn.name.to_string(),
        };
        Ok(json(StatusCode::OK, &answer))
    }

    pub(crate) async fn delete_function_code_signing(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = whole_function(call, Context::new())?;
        self.functions.existing(&arn).await?;
        let key = attached_key(CODE_SIGNINGS, &arn);
        self.rows.delete(&key, Expect::Any).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn list_functions_by_code_signing(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let (scope, id) = self.named_config(call).await?;
        let page = Page::parse(call.query)?;
        self.code_signing_config(&scope, &id).await?;
        let mut functions = self.functions_signed_by(&scope, &id).await?;
        let name = |arn: &FunctionArn| arn.name.as_str().to_owned();
        functions.retain(|arn| {
            page.after
                .as_deref()
                .is_none_or(|after| *name(arn) > *after)
        });
        let more = functions.len() > page.limit;
        functions.truncate(page.limit);
        let last = functions.last().filter(|_| more);
        let answer = List {
            next_marker: last.map(|arn| Page::marker(arn.name.as_str())),
            function_arns: functions.iter().map(FunctionArn::to_string).collect(),
        };
        Ok(json(StatusCode::OK, &answer))
    }

    /// The config that a function is to have, which must exist: in its own account and region.
    async fn signing_config_named(
        &self,
        function: &FunctionArn,
        arn: &str,
    ) -> Result<CodeSigningConfig, Failure> {
        let refused = || config_missing(arn);
        let (scope, id) = parts(arn).ok_or_else(refused)?;
        if scope != function.scope {
            return Err(refused().into());
        }
        let found = self.rows.get(&config_key(&scope, &id)).await?;
        found
            .map(|(config, _)| config)
            .ok_or_else(|| refused().into())
    }

    /// The config that a function is created with, once its code has passed it.
    pub(crate) async fn signing_of_new(
        &self,
        function: &FunctionArn,
        arn: Option<&str>,
    ) -> Result<Option<CodeSigningConfig>, Failure> {
        let Some(arn) = arn else { return Ok(None) };
        let config = self.signing_config_named(function, arn).await?;
        check_code(&config, function)?;
        Ok(Some(config))
    }

    /// Attaches a config to a function. If the config is deleted meanwhile, that is undone.
    pub(crate) async fn sign_function(
        &self,
        arn: &FunctionArn,
        config: &CodeSigningConfig,
    ) -> Result<(), Failure> {
        let row = Signed {
            function: arn.clone(),
            config: config.id.clone(),
        };
        self.attach(CODE_SIGNINGS, arn, &row, Expect::Any).await?;
        let there = self.signing_config_named(arn, &config.arn()).await;
        if there.is_err() {
            let key = attached_key(CODE_SIGNINGS, arn);
            self.rows.delete(&key, Expect::Any).await?;
        }
        there.map(|_| ())
    }

    /// Refuses code for a function whose config enforces signatures.
    pub(crate) async fn check_function_code(&self, arn: &FunctionArn) -> Result<(), Failure> {
        let Some(signed) = self.signed(arn).await? else {
            return Ok(());
        };
        match self
            .rows
            .get(&config_key(&arn.scope, &signed.config))
            .await?
        {
            Some((config, _)) => Ok(check_code(&config, arn)?),
            None => Ok(()),
        }
    }

    /// The qualifier does not matter: the config is the function's.
    async fn signed(&self, arn: &FunctionArn) -> Result<Option<Signed>, Failure> {
        let function = FunctionArn {
            qualifier: None,
            ..arn.clone()
        };
        let found = self
            .rows
            .get(&attached_key(CODE_SIGNINGS, &function))
            .await?;
        Ok(found.map(|(signed, _)| signed))
    }

    /// By name. The remains of a deleted function do not count.
    pub(super) async fn functions_signed_by(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<Vec<FunctionArn>, Failure> {
        let prefix = format!("{CODE_SIGNINGS}{}/{}/", scope.account, scope.region);
        let mut functions = Vec::new();
        for row in self.rows.all(&prefix).await? {
            let signed: Signed = decode(&row)?;
            let function = function_key(scope, &signed.function.name);
            let there = self.rows.get::<serde::de::IgnoredAny>(&function);
            if signed.config == id && there.await?.is_some() {
                functions.push(signed.function);
            }
        }
        Ok(functions)
    }
}

/// Whether code without a trusted signature may be deployed.
fn check_code(config: &CodeSigningConfig, arn: &FunctionArn) -> Result<(), ApiError> {
    if config.untrusted == Untrusted::Warn {
        tracing::info!(function = %arn, config = %config.id, "code without a trusted signature is deployed");
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::BAD_REQUEST,
        "CodeVerificationFailedException",
        Fault::User,
        "Lambda cannot deploy the function. The function or layer might be signed using a signature \
         that the client is not configured to accept. Check the provided signature for unsigned.",
    ))
}

fn whole_function(call: &Call<'_>, context: Context) -> Result<FunctionArn, ApiError> {
    let arn = call.function_with(Naming::Namespaced, context)?;
    if arn.qualifier.is_some() {
        return Err(ApiError::invalid_parameter(
            "Code signing configurations are of functions: aliases and versions do not support this \
             operation. Please specify either a function name or an unqualified function ARN.",
        ));
    }
    Ok(arn)
}

fn config_missing(arn: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "CodeSigningConfigNotFoundException",
        Fault::User,
        format!(
            "The code signing configuration cannot be found. Check that the provided configuration is \
             not deleted: {arn}."
        ),
    )
}
