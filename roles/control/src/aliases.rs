//! Aliases: names that point at one version, or at two by weight.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use records::functions::{Alias, Function};
use serde::{Deserialize, Serialize};
use storage::{Expect, Revision};
use types::{AliasName, ForCallers as _, FunctionArn, Qualifier, Version};
use wire::ApiError;
use wire::uri::query_value;

use settings::functions::check_revision;
use settings::weights::{check_pair, check_weights};
use tables::TRIES_MAX;

use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::page::Page;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    name: Option<String>,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<RoutingConfig>,
    revision_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RoutingConfig {
    additional_version_weights: Option<BTreeMap<String, f64>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AliasConfiguration {
    alias_arn: String,
    name: String,
    function_version: Version,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing_config: Option<RoutingAnswer>,
    revision_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoutingAnswer {
    additional_version_weights: BTreeMap<String, f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListAliases {
    aliases: Vec<AliasConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Control {
    pub(crate) async fn create_alias(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = call.unqualified_function()?;
        let body: Body = parse_now(call.body)?;
        let name = alias_name(body.name.as_deref().unwrap_or_default())?;
        let version = body.function_version.as_deref().unwrap_or_default();
        let found = self.functions.function(&arn.scope, &arn.name).await?;
        let (function, _) = found.ok_or_else(|| no_version(&arn, version))?;
        let version = self.target(&function, &arn, version).await?;
        let additional = match body.weights() {
            Some(weights) => self.additional(&function, &arn, version, weights).await?,
            None => None,
        };
        let alias = Alias {
            name,
            instance: self.random.uuid().to_string(),
            version,
            additional,
            description: body.description.unwrap_or_default(),
            revision_id: self.new_revision_id(),
        };
        if !self.write_alias(&arn, &alias, None).await? {
            let arn = arn.qualified(Qualifier::Alias(alias.name));
            return Err(ApiError::conflict(format!("Alias already exists: {arn}")).into());
        }
        Ok(json(
            StatusCode::CREATED,
            &AliasConfiguration::new(&arn, alias),
        ))
    }

    pub(crate) async fn get_alias(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let (arn, name) = named(call)?;
        let missing = || {
            let arn = arn.qualified(Qualifier::Alias(name.clone()));
            ApiError::not_found(format!("Cannot find alias arn: {arn}"))
        };
        let function = self.functions.function(&arn.scope, &arn.name).await?;
        function.ok_or_else(missing)?;
        let found = self.functions.alias(&arn.scope, &arn.name, &name).await?;
        let (alias, _) = found.ok_or_else(missing)?;
        Ok(json(StatusCode::OK, &AliasConfiguration::new(&arn, alias)))
    }

    pub(crate) async fn list_aliases(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = call.unqualified_function()?;
        let version = query_value(call.query, "FunctionVersion");
        let page = Page::parse(call.query)?;
        self.functions.existing(&arn).await?;
        let mut aliases = self.functions.aliases(&arn.scope, &arn.name).await?;
        aliases.retain(|alias| {
            let wanted = version
                .as_deref()
                .is_none_or(|version| alias.version.to_string() == version);
            let after = page
                .after
                .as_deref()
                .is_none_or(|after| alias.name.as_str() > after);
            wanted && after
        });
        let more = aliases.len() > page.limit;
        aliases.truncate(page.limit);
        let last = aliases.last().filter(|_| more);
        let next_marker = last.map(|alias| Page::marker(alias.name.as_str()));
        let aliases = aliases
            .into_iter()
            .map(|alias| AliasConfiguration::new(&arn, alias));
        Ok(json(
            StatusCode::OK,
            &ListAliases {
                aliases: aliases.collect(),
                next_marker,
            },
        ))
    }

    pub(crate) async fn update_alias(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let (arn, name) = named(call)?;
        let body: Body = parse_now(call.body)?;
        let missing = || {
            let arn = arn.qualified(Qualifier::Alias(name.clone()));
            ApiError::not_found(format!("Alias not found: {arn}"))
        };
        let found = self.functions.function(&arn.scope, &arn.name).await?;
        let (function, _) = found.ok_or_else(missing)?;
        for _ in 0..TRIES_MAX {
            let found = self.functions.alias(&arn.scope, &arn.name, &name).await?;
            let before = found.ok_or_else(missing)?;
            let alias = self
                .changed_alias(&function, &arn, &before.0, &body)
                .await?;
            self.check_provisioned_alias(&arn, &alias).await?;
            if self.write_alias(&arn, &alias, Some(before)).await? {
                self.provision();
                return Ok(json(StatusCode::OK, &AliasConfiguration::new(&arn, alias)));
            }
        }
        Err(Failure::contended(format!("{arn}:{name}")))
    }

    pub(crate) async fn delete_alias(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let (arn, name) = named(call)?;
        self.functions.existing(&arn).await?;
        self.functions
            .delete_alias(&arn.scope, &arn.name, &name, Expect::Any)
            .await?;
        self.functions
            .detach(&arn.qualified(Qualifier::Alias(name)))
            .await?;
        self.provision();
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// An alias with everything that a request names replaced.
    async fn changed_alias(
        &self,
        function: &Function,
        arn: &FunctionArn,
        before: &Alias,
        body: &Body,
    ) -> Result<Alias, Failure> {
        check_revision(body.revision_id.as_deref(), &before.revision_id)?;
        let mut alias = Alias {
            revision_id: self.new_revision_id(),
            ..before.clone()
        };
        if let Some(version) = &body.function_version {
            alias.version = self.target(function, arn, version).await?;
        }
        if let Some(description) = &body.description {
            alias.description.clone_from(description);
        }
        if let Some(weights) = body.weights() {
            alias.additional = self
                .additional(function, arn, alias.version, weights)
                .await?;
        } else if let Some((other, weight)) = alias.additional {
            // Unchanged, so it must be compatible with the version that the alias points at now.
            let kept = BTreeMap::from([(other.to_string(), weight)]);
            self.additional(function, arn, alias.version, &kept).await?;
        }
        Ok(alias)
    }

    /// Replaces the alias `before` by another; `false` if it has changed. Then checks whether its
    /// versions still exist, and undoes the write if not: a version's deletion looks for aliases after
    /// it, so that one of the two always sees the other.
    async fn write_alias(
        &self,
        arn: &FunctionArn,
        alias: &Alias,
        before: Option<(Alias, Revision)>,
    ) -> Result<bool, Failure> {
        let (scope, name) = (&arn.scope, &arn.name);
        let expect = before
            .as_ref()
            .map_or(Expect::Absent, |(_, at)| Expect::Revision(*at));
        let Some(written) = self.functions.put_alias(scope, name, alias, expect).await? else {
            return Ok(false);
        };
        let Err(gone) = self.check_versions(arn, alias).await else {
            return Ok(true);
        };
        let undo = Expect::Revision(written);
        match before {
            Some((before, _)) => drop(self.functions.put_alias(scope, name, &before, undo).await?),
            None => {
                self.functions
                    .delete_alias(scope, name, &alias.name, undo)
                    .await?
            }
        }
        Err(gone)
    }

    async fn check_versions(&self, arn: &FunctionArn, alias: &Alias) -> Result<(), Failure> {
        let (function, _) = self.functions.existing(arn).await?;
        for version in std::iter::once(alias.version).chain(alias.additional.map(|(v, _)| v)) {
            self.version_of(&function, &arn.qualified(Qualifier::Version(version)))
                .await?;
        }
        Ok(())
    }

    /// The version an alias is to point at, which must exist.
    async fn target(
        &self,
        function: &Function,
        arn: &FunctionArn,
        version: &str,
    ) -> Result<Version, Failure> {
        if version == "$LATEST.PUBLISHED" {
            return Err(ApiError::not_implemented("managed instances ($LATEST.PUBLISHED)").into());
        }
        let version = Version::parse(version).map_err(|_| no_version(arn, version))?;
        let target = arn.qualified(Qualifier::Version(version));
        self.version_of(function, &target).await?;
        Ok(version)
    }

    /// The second version of an alias, which must exist and be compatible with the first.
    async fn additional(
        &self,
        function: &Function,
        arn: &FunctionArn,
        version: Version,
        weights: &BTreeMap<String, f64>,
    ) -> Result<Option<(Version, f64)>, Failure> {
        check_weights(version, weights)?;
        let Some((other, weight)) = weights.first_key_value() else {
            return Ok(None);
        };
        let other = self.target(function, arn, other).await?;
        if version != Version::Latest {
            let main = self
                .version_of(function, &arn.qualified(Qualifier::Version(version)))
                .await?;
            let second = self
                .version_of(function, &arn.qualified(Qualifier::Version(other)))
                .await?;
            check_pair(&main, &second)?;
        }
        Ok(Some((other, *weight)))
    }
}

impl Body {
    fn weights(&self) -> Option<&BTreeMap<String, f64>> {
        let routing = self.routing_config.as_ref()?;
        static NONE: BTreeMap<String, f64> = BTreeMap::new();
        Some(routing.additional_version_weights.as_ref().unwrap_or(&NONE))
    }
}

impl AliasConfiguration {
    fn new(arn: &FunctionArn, alias: Alias) -> Self {
        Self {
            alias_arn: arn
                .qualified(Qualifier::Alias(alias.name.clone()))
                .to_string(),
            name: alias.name.to_string(),
            function_version: alias.version,
            description: alias.description,
            routing_config: alias.additional.map(|(version, weight)| RoutingAnswer {
                additional_version_weights: BTreeMap::from([(version.to_string(), weight)]),
            }),
            revision_id: alias.revision_id,
        }
    }
}

/// The function and the alias that the path names.
fn named(call: &Call<'_>) -> Result<(FunctionArn, AliasName), ApiError> {
    let arn = call.unqualified_function()?;
    Ok((arn, alias_name(call.matched.parameter("Name"))?))
}

fn no_version(arn: &FunctionArn, version: &str) -> ApiError {
    ApiError::not_found(format!("Function not found: {arn}:{version}"))
}

fn alias_name(text: &str) -> Result<AliasName, ApiError> {
    AliasName::new(text).map_err(|error| ApiError::validation(error.told()))
}
