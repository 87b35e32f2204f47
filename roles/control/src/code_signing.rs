//! Code signing configs, and which function has which ([`functions`]).
//!
//! No signature can be verified here: that would need AWS's signing service. So all code counts as
//! unsigned, untrusted: refused where a config enforces, deployed and logged where it warns.

mod functions;

use std::collections::BTreeMap;

use authn::authorisation::{request_tags, resource_tags};
use bytes::Bytes;
use http::{Response, StatusCode};
use records::code_signing::{CodeSigningConfig, Untrusted, config_arn, config_key, configs_prefix};
use serde::{Deserialize, Serialize};
use settings::functions::check_tags;
use storage::{Expect, Revision};
use tables::decode;
use types::{AccountId, Random, Region, Scope};
use wire::ApiError;

use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::page::Page;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    description: Option<String>,
    allowed_publishers: Option<Publishers>,
    code_signing_policies: Option<Policies>,
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Publishers {
    signing_profile_version_arns: Vec<String>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Policies {
    untrusted_artifact_on_deployment: Option<Untrusted>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    code_signing_config: Shown,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    code_signing_config_id: String,
    code_signing_config_arn: String,
    description: String,
    allowed_publishers: Publishers,
    code_signing_policies: Policies,
    last_modified: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    code_signing_configs: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Control {
    pub(crate) async fn create_code_signing(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let body: Body = parse_now(call.body)?;
        let tags = body.tags.clone().unwrap_or_default();
        call.authorise_with(&call.scope.account, "*", request_tags(&tags))?;
        check_tags(&tags)?;
        let mut config = CodeSigningConfig {
            id: new_id(self.random.as_ref()),
            scope: call.scope.clone(),
            description: String::new(),
            publishers: Vec::new(),
            untrusted: Untrusted::default(),
            last_modified: self.clock.now(),
            tags,
        };
        body.put_into(&mut config);
        let key = config_key(&config.scope, &config.id);
        match self.rows.put(&key, &config, Expect::Absent).await? {
            Some(_) => Ok(json(StatusCode::CREATED, &Answer::new(config))),
            // The same 68 random bits twice.
            None => Err(Failure::contended(key)),
        }
    }

    pub(crate) async fn update_code_signing(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let (scope, id) = self.named_config(call).await?;
        let body: Body = parse_now(call.body)?;
        let change = |config: &mut CodeSigningConfig| {
            body.put_into(config);
            config.last_modified = self.clock.now();
            Ok(())
        };
        let missing = || not_found(&scope, &id);
        let key = config_key(&scope, &id);
        let config = self.rows.alter(&key, missing, change).await?;
        Ok(json(StatusCode::OK, &Answer::new(config)))
    }

    pub(crate) async fn get_code_signing(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let (scope, id) = self.named_config(call).await?;
        let (config, _) = self.code_signing_config(&scope, &id).await?;
        Ok(json(StatusCode::OK, &Answer::new(config)))
    }

    pub(crate) async fn list_code_signings(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        call.authorise(&call.scope.account, "*")?;
        let page = Page::parse(call.query)?;
        let prefix = configs_prefix(&call.scope);
        let (rows, next_marker) = page.of_rows(self.rows.all(&prefix).await?, &prefix);
        let configs = rows.iter().map(|row| Ok(Shown::new(decode(row)?)));
        let answer = List {
            code_signing_configs: configs.collect::<Result<_, Failure>>()?,
            next_marker,
        };
        Ok(json(StatusCode::OK, &answer))
    }

    /// Refused while a function uses it. A function that gets it meanwhile is seen by the second check,
    /// and the config is restored.
    pub(crate) async fn delete_code_signing(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let (scope, id) = self.named_config(call).await?;
        let (config, revision) = self.code_signing_config(&scope, &id).await?;
        self.refuse_if_used(&scope, &id).await?;
        let key = config_key(&scope, &id);
        if !self.rows.delete(&key, Expect::Revision(revision)).await? {
            return Err(Failure::contended(key));
        }
        if let Err(used) = self.refuse_if_used(&scope, &id).await {
            self.rows.put(&key, &config, Expect::Absent).await?;
            return Err(used);
        }
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// The config that the path names, if the caller may do this to it.
    async fn named_config(&self, call: &Call<'_>) -> Result<(Scope, String), Failure> {
        let arn = call.matched.parameter("CodeSigningConfigArn");
        let (scope, id) = parts(arn).ok_or_else(|| missing(arn))?;
        let key = config_key(&scope, &id);
        let found = self.rows.get::<CodeSigningConfig>(&key).await?;
        let tags = found.map(|(config, _)| config.tags).unwrap_or_default();
        call.authorise_with(&scope.account, arn, resource_tags(&tags))?;
        match scope.region == call.scope.region {
            true => Ok((scope, id)),
            false => Err(missing(arn).into()),
        }
    }

    async fn code_signing_config(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<(CodeSigningConfig, Revision), Failure> {
        let found = self.rows.get(&config_key(scope, id)).await?;
        found.ok_or_else(|| not_found(scope, id).into())
    }

    async fn refuse_if_used(&self, scope: &Scope, id: &str) -> Result<(), Failure> {
        if self.functions_signed_by(scope, id).await?.is_empty() {
            return Ok(());
        }
        Err(ApiError::conflict(
            "Cannot delete the code signing configuration because it is in use by one or more functions.",
        )
        .into())
    }
}

impl Body {
    /// Replaces the given members.
    fn put_into(&self, config: &mut CodeSigningConfig) {
        if let Some(description) = &self.description {
            config.description.clone_from(description);
        }
        if let Some(publishers) = &self.allowed_publishers {
            config
                .publishers
                .clone_from(&publishers.signing_profile_version_arns);
        }
        let policies = self.code_signing_policies.as_ref();
        if let Some(untrusted) = policies.and_then(|p| p.untrusted_artifact_on_deployment) {
            config.untrusted = untrusted;
        }
    }
}

impl Answer {
    fn new(config: CodeSigningConfig) -> Self {
        Self {
            code_signing_config: Shown::new(config),
        }
    }
}

impl Shown {
    fn new(config: CodeSigningConfig) -> Self {
        Self {
            code_signing_config_arn: config.arn(),
            code_signing_config_id: config.id,
            description: config.description,
            allowed_publishers: Publishers {
                signing_profile_version_arns: config.publishers,
            },
            code_signing_policies: Policies {
                untrusted_artifact_on_deployment: Some(config.untrusted),
            },
            last_modified: config.last_modified.to_lambda_text(),
        }
    }
}

/// The account whose config an ARN names, and the config's id. The model's pattern has been checked.
pub(crate) fn parts(arn: &str) -> Option<(Scope, String)> {
    let parts: Vec<&str> = arn.split(':').collect();
    let [_, _, "lambda", region, account, "code-signing-config", id] = parts[..] else {
        return None;
    };
    let scope = Scope {
        account: AccountId::new(account).ok()?,
        region: Region::new(region).ok()?,
    };
    Some((scope, id.to_owned()))
}

fn not_found(scope: &Scope, id: &str) -> ApiError {
    missing(&config_arn(scope, id))
}

fn missing(arn: &str) -> ApiError {
    ApiError::not_found(format!(
        "The Lambda code signing configuration {arn} can not be found."
    ))
}

fn new_id(random: &dyn Random) -> String {
    let digits = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
    format!("csc-{}", &digits[..17])
}
