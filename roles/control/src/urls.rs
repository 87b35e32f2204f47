//! Function URLs: addresses at which a function, or an alias of it, is reached by plain HTTP.

use bytes::Bytes;
use http::{Response, StatusCode};
use policy::Context;
use records::functions::{Alias, Function, URLS, attached_key, attached_prefix};
use records::policies::binding;
use records::urls::{Auth, Cors, ID_CHARACTERS, InvokeMode, Url};
use serde::{Deserialize, Serialize};
use storage::{Expect, Revision};
use tables::{TRIES_MAX, decode};
use types::{FunctionArn, Qualifier, Random, Version};
use wire::ApiError;
use wire::function_name::Naming;

use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::page::Page;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    auth_type: Option<Auth>,
    cors: Option<Cors>,
    invoke_mode: Option<InvokeMode>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UrlConfig {
    function_url: String,
    function_arn: String,
    auth_type: Auth,
    #[serde(skip_serializing_if = "Option::is_none")]
    cors: Option<Cors>,
    creation_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoke_mode: Option<InvokeMode>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListUrlConfigs {
    function_url_configs: Vec<UrlConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Control {
    pub(crate) async fn create_url(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let body: Body = parse_now(call.body)?;
        let arn = self.function_or_alias(call, body.auth_type).await?;
        let bound_to = self.url_target(&arn).await?;
        let key = attached_key(URLS, &arn);
        let found = self.rows.get::<Url>(&key).await?;
        let expect = match found {
            // What a deleted function leaves until it is swept does not block a new one.
            Some((left, revision)) if !left.is_bound_to(&bound_to) => Expect::Revision(revision),
            _ => Expect::Absent,
        };
        let now = self.clock.now();
        let url = Url {
            id: new_id(self.random.as_ref()),
            function: arn.clone(),
            bound_to,
            auth: body.auth_type.unwrap_or(Auth::Iam),
            cors: body.cors,
            invoke_mode: body.invoke_mode.unwrap_or_default(),
            created: now,
            modified: now,
        };
        let Some(written) = self.rows.put(&key, &url, expect).await? else {
            return Err(ApiError::conflict(format!(
                "Failed to create function url config for [functionArn = {arn}]. Error message:  \
                 FunctionUrlConfig exists for this Lambda function"
            ))
            .into());
        };
        self.still_there(&url, &key, written).await?;
        let mut config = self.url_config(url);
        config.last_modified_time = None;
        config.invoke_mode = body.invoke_mode;
        Ok(json(StatusCode::CREATED, &config))
    }

    pub(crate) async fn get_url(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = self.function_or_alias(call, None).await?;
        let (url, _) = self.url_of(&arn).await?.ok_or_else(no_url)?;
        Ok(json(StatusCode::OK, &self.url_config(url)))
    }

    pub(crate) async fn update_url(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let body: Body = parse_now(call.body)?;
        let arn = self.function_or_alias(call, body.auth_type).await?;
        self.url_target(&arn).await?;
        let key = attached_key(URLS, &arn);
        for _ in 0..TRIES_MAX {
            let found = self.url_of(&arn).await?;
            let (mut url, revision) = found.ok_or_else(no_url)?;
            url.auth = body.auth_type.unwrap_or(url.auth);
            url.invoke_mode = body.invoke_mode.unwrap_or(url.invoke_mode);
            if let Some(cors) = &body.cors {
                url.cors = Some(cors.clone());
            }
            url.modified = self.clock.now();
            let written = self
                .rows
                .put(&key, &url, Expect::Revision(revision))
                .await?;
            if let Some(written) = written {
                self.still_there(&url, &key, written).await?;
                let config = UrlConfig {
                    invoke_mode: body.invoke_mode,
                    ..self.url_config(url)
                };
                return Ok(json(StatusCode::OK, &config));
            }
        }
        Err(Failure::contended(key))
    }

    pub(crate) async fn delete_url(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = self.function_or_alias(call, None).await?;
        let key = attached_key(URLS, &arn);
        for _ in 0..TRIES_MAX {
            let found = self.url_of(&arn).await?;
            let (_, revision) = found.ok_or_else(no_url)?;
            if self.rows.delete(&key, Expect::Revision(revision)).await? {
                return Ok(empty(StatusCode::NO_CONTENT));
            }
        }
        Err(Failure::contended(key))
    }

    pub(crate) async fn list_urls(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = call.unqualified_function()?;
        let page = Page::parse(call.query)?;
        let found = self.functions.function(&arn.scope, &arn.name).await?;
        let (function, _) = found.ok_or_else(no_function)?;
        let aliases = self.functions.aliases(&arn.scope, &arn.name).await?;
        let prefix = attached_prefix(URLS, &arn.scope, &arn.name);
        let after = page.after.map(|after| format!("{prefix}{after}"));
        let mut rows = Vec::new();
        for row in self.rows.all(&prefix).await? {
            let url: Url = decode(&row)?;
            let is_next = after.as_ref().is_none_or(|after| row.key > *after);
            let bound_to = binding_of(&url.function, &function, &aliases);
            if is_next && bound_to.is_some_and(|bound_to| url.is_bound_to(&bound_to)) {
                rows.push((row.key, url));
            }
        }
        let more = rows.len() > page.limit;
        rows.truncate(page.limit);
        let last = rows.last().filter(|_| more);
        let next_marker =
            last.map(|(key, _)| Page::marker(key.strip_prefix(&prefix).unwrap_or_default()));
        let urls = rows.into_iter().map(|(_, url)| self.url_config(url));
        Ok(json(
            StatusCode::OK,
            &ListUrlConfigs {
                function_url_configs: urls.collect(),
                next_marker,
            },
        ))
    }

    /// What the path and `Qualifier` name, if the caller may do this to it: the function itself, or an
    /// alias. `$LATEST` is the function. Policies may depend on the auth type of the URL: the requested
    /// one, or the existing one.
    async fn function_or_alias(
        &self,
        call: &Call<'_>,
        asked: Option<Auth>,
    ) -> Result<FunctionArn, Failure> {
        let named = call.named_function(Naming::Plain)?;
        let qualifier = match &named.qualifier {
            Some(Qualifier::Version(Version::Latest)) => None,
            given => given.clone(),
        };
        let arn = FunctionArn {
            qualifier,
            ..named.clone()
        };
        let auth = match asked {
            Some(auth) => Some(auth),
            None => {
                let found = self.url_of(&arn).await?;
                found.map(|(url, _)| url.auth)
            }
        };
        let mut context = Context::new().with("lambda:FunctionArn", arn.to_string());
        if let Some(auth) = auth {
            context.set("lambda:FunctionUrlAuthType", auth.word());
        }
        call.authorise_with(&arn.scope.account, &named.to_string(), context)?;
        match &arn.qualifier {
            Some(Qualifier::Version(version)) => Err(ApiError::invalid_parameter(format!(
                "A function URL leads to a function or an alias, not to a version: {version}"
            ))
            .into()),
            Some(Qualifier::Alias(_)) | None => Ok(arn),
        }
    }

    /// What a URL of this function or alias is bound to; refuses if there is none.
    async fn url_target(&self, arn: &FunctionArn) -> Result<String, Failure> {
        let found = self.functions.function(&arn.scope, &arn.name).await?;
        let (function, _) = found.ok_or_else(no_function)?;
        let alias = self.alias_of(arn).await?;
        let bound_to = binding_of(arn, &function, alias.as_slice());
        bound_to.ok_or_else(|| no_function().into())
    }

    /// The URL of this function or alias. The URL of an earlier one with the same name does not count.
    async fn url_of(&self, arn: &FunctionArn) -> Result<Option<(Url, Revision)>, Failure> {
        let Some(found) = self.rows.get::<Url>(&attached_key(URLS, arn)).await? else {
            return Ok(None);
        };
        match self.url_target(arn).await {
            Ok(bound_to) => Ok(Some(found).filter(|(url, _)| url.is_bound_to(&bound_to))),
            Err(Failure::Refused(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// A deletion of the function or alias removes what is attached after it; one of the two sees the
    /// other. What was written at this revision for one that was deleted is undone, and refused.
    async fn still_there(&self, url: &Url, key: &str, written: Revision) -> Result<(), Failure> {
        let gone = match self.url_target(&url.function).await {
            Ok(bound_to) if url.is_bound_to(&bound_to) => return Ok(()),
            Ok(_) => no_function().into(),
            Err(gone) => gone,
        };
        self.rows.delete(key, Expect::Revision(written)).await?;
        Err(gone)
    }

    fn url_config(&self, url: Url) -> UrlConfig {
        let region = &url.function.scope.region;
        UrlConfig {
            function_url: self.config.urls.text(&url.id, region),
            function_arn: url.function.to_string(),
            auth_type: url.auth,
            cors: url.cors,
            creation_time: url.created.to_iso_text(),
            last_modified_time: Some(url.modified.to_iso_text()),
            invoke_mode: Some(url.invoke_mode),
        }
    }
}

/// What a URL of `arn` is bound to, if that exists: the function itself, or one of these aliases.
fn binding_of(arn: &FunctionArn, function: &Function, aliases: &[Alias]) -> Option<String> {
    match &arn.qualifier {
        Some(Qualifier::Alias(name)) => {
            let alias = aliases.iter().find(|alias| alias.name == *name)?;
            Some(binding(&function.instance, Some(alias)))
        }
        _ => Some(binding(&function.instance, None)),
    }
}

/// The error of operations on URLs for a missing function or alias.
fn no_function() -> ApiError {
    ApiError::not_found("Function does not exist")
}

fn no_url() -> ApiError {
    ApiError::not_found("The resource you requested does not exist.")
}

/// 165 random bits: nobody guesses one, and none occurs twice.
fn new_id(random: &dyn Random) -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut id = String::with_capacity(ID_CHARACTERS);
    while id.len() < ID_CHARACTERS {
        let mut bytes = [0; ID_CHARACTERS];
        random.fill(&mut bytes);
        // 252 is seven times 36: the rest would make some letters more likely.
        let fair = bytes.iter().filter(|byte| **byte < 252);
        let letters = fair.map(|byte| char::from(LETTERS[usize::from(byte % 36)]));
        id.extend(letters.take(ID_CHARACTERS - id.len()));
    }
    id
}

#[cfg(test)]
mod tests {
    use types::SystemRandom;

    use super::*;

    #[test]
    fn ids_are_what_a_host_name_may_begin_with_and_differ() {
        let ids: Vec<String> = (0..100).map(|_| new_id(&SystemRandom)).collect();
        for id in &ids {
            assert_eq!(id.len(), ID_CHARACTERS);
            let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(id.bytes().all(valid), "{id}");
        }
        let mut distinct = ids.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), ids.len());
    }
}
