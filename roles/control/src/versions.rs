//! PublishVersion, ListVersionsByFunction.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use records::functions::{Configuration, Function, LastUpdate, State};
use serde::{Deserialize, Serialize};
use settings::functions::{
    FunctionConfiguration, arn_of, check_revision, check_settled, update_in_progress, version_arn,
};
use types::{FunctionArn, Version};
use wire::ApiError;

use crate::answer::json;
use crate::body::parse_now;
use crate::call::Call;
use crate::code_storage::counted;
use crate::failure::Failure;
use crate::page::Page;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PublishBody {
    code_sha256: Option<String>,
    description: Option<String>,
    revision_id: Option<String>,
    publish_to: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListVersions<'v> {
    versions: Vec<FunctionConfiguration<'v>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Control {
    pub(crate) async fn publish_version(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = call.unqualified_function()?;
        let body: PublishBody = parse_now(call.body)?;
        let description = body.description.as_deref();
        if body.publish_to.is_some() {
            return Err(ApiError::not_implemented("managed instances (PublishTo)").into());
        }
        // One that a crash left unfinished comes first.
        self.functions.finish_publishing(&arn).await?;
        let (present, _) = self.functions.existing(&arn).await?;
        if present.published_generation != present.latest.generation {
            let code = &present.latest.code;
            let counted = counted(code.bytes, code.unpacked_bytes);
            self.check_code_storage(&arn.scope, counted).await?;
        }
        let begin = |function: &mut Function| {
            check_revision(body.revision_id.as_deref(), &function.latest.revision_id)?;
            check_settled(function)?;
            check_code(body.code_sha256.as_deref(), &function.latest.code.sha256)?;
            self.begin_publishing(function, description)
        };
        let (function, ()) = self.functions.change(&arn, begin).await?;
        self.functions.finish_publishing(&arn).await?;
        let version = match function.publishing.as_deref() {
            Some(version) => version.clone(),
            None => self
                .last_published(&function)
                .await?
                .unwrap_or(function.latest),
        };
        let shown = version_arn(
            &FunctionArn {
                qualifier: None,
                ..arn
            },
            &version,
        );
        Ok(json(
            StatusCode::CREATED,
            &FunctionConfiguration::new(&shown, &version),
        ))
    }

    pub(crate) async fn list_versions(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = call.unqualified_function()?;
        let page = Page::parse(call.query)?;
        let (function, _) = self.functions.existing(&arn).await?;
        let mut versions = Vec::new();
        let after = match &page.after {
            // `$LATEST` comes first, so only the first page has it.
            None => {
                versions.push(function.latest.clone());
                0
            }
            Some(place) => place.parse().unwrap_or(u64::MAX),
        };
        versions.extend(
            self.functions
                .versions(&function, after, page.limit + 1)
                .await?,
        );
        let more = versions.len() > page.limit;
        versions.truncate(page.limit);
        let next_marker = versions
            .last()
            .filter(|_| more)
            .map(|last| match last.version {
                Version::Latest => Page::marker("0"),
                Version::Published(number) => Page::marker(&number.to_string()),
            });
        let arn = arn_of(&function);
        let arns: Vec<_> = versions
            .iter()
            .map(|version| version_arn(&arn, version))
            .collect();
        let shapes = arns.iter().zip(&versions);
        let shapes = shapes.map(|(arn, version)| FunctionConfiguration::listed(arn, version));
        Ok(json(
            StatusCode::OK,
            &ListVersions {
                versions: shapes.collect(),
                next_marker,
            },
        ))
    }

    /// The version that was published last, if it still exists.
    pub(crate) async fn last_published(
        &self,
        function: &Function,
    ) -> Result<Option<Configuration>, Failure> {
        let found = self
            .functions
            .version(&function.scope, &function.name, function.published)
            .await?;
        Ok(found.map(|(version, _)| version))
    }

    /// Marks the function's `$LATEST` to be published, unless it has been already.
    pub(crate) fn begin_publishing(
        &self,
        function: &mut Function,
        description: Option<&str>,
    ) -> Result<(), ApiError> {
        if function.publishing.is_some() {
            return Err(update_in_progress(function));
        }
        let latest = &function.latest;
        if function.published > 0 && function.published_generation == latest.generation {
            return Ok(());
        }
        let updating = latest.last_update == LastUpdate::InProgress;
        let mut version = Configuration {
            version: Version::Published(function.published + 1),
            revision_id: self.new_revision_id(),
            state: if updating {
                State::Pending
            } else {
                latest.state.clone()
            },
            last_update: LastUpdate::Successful,
            ..latest.clone()
        };
        if let Some(description) = description {
            version.description = description.to_owned();
        }
        function.published_generation = latest.generation;
        function.publishing = Some(Arc::new(version));
        function.latest.revision_id = self.new_revision_id();
        Ok(())
    }
}

/// The caller's `CodeSha256`, if given, must be that of `$LATEST`.
fn check_code(given: Option<&str>, present: &str) -> Result<(), ApiError> {
    match given {
        Some(given) if given != present => Err(ApiError::invalid_parameter(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({present}). \
             Please try again with the CodeSHA256 in $LATEST."
        ))),
        _ => Ok(()),
    }
}
