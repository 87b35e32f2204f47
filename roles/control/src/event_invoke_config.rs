//! How events of a function, version or alias are invoked: retries, age, destinations.

use bytes::Bytes;
use http::{Response, StatusCode};
use records::event_invoke::EventInvokeConfig;
use records::functions::{EVENT_INVOKES, attached_key, attached_prefix};
use serde::{Deserialize, Serialize};
use settings::destinations::DestinationConfig;
use storage::{Expect, Revision};
use tables::{TRIES_MAX, decode};
use types::{FunctionArn, Qualifier, Timestamp, Version};
use wire::ApiError;
use wire::function_name::Naming;

use crate::answer::{empty, json};
use crate::attached::function_missing;
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::page::Page;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    maximum_retry_attempts: Option<u32>,
    maximum_event_age_in_seconds: Option<u32>,
    destination_config: Option<DestinationConfig>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    last_modified: f64,
    function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_retry_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_event_age_in_seconds: Option<u32>,
    destination_config: DestinationConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    function_event_invoke_configs: Vec<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Control {
    /// Replaces the previous settings.
    pub(crate) async fn put_event_invoke_config(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let (arn, body) = self.event_invoke_request(call).await?;
        let config = body.over(EventInvokeConfig::default(), self.clock.now());
        self.attach(EVENT_INVOKES, &arn, &config, Expect::Any)
            .await
            .map_err(function_missing)?;
        Ok(json(StatusCode::OK, &Answer::new(&arn, config)))
    }

    /// Changes what is given.
    pub(crate) async fn update_event_invoke_config(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let (arn, body) = self.event_invoke_request(call).await?;
        for _ in 0..TRIES_MAX {
            let (before, revision) = self.event_invoke_config(&arn).await?;
            let config = body.over(before, self.clock.now());
            let expect = Expect::Revision(revision);
            let written = self.attach(EVENT_INVOKES, &arn, &config, expect).await;
            if written.map_err(function_missing)? {
                return Ok(json(StatusCode::OK, &Answer::new(&arn, config)));
            }
        }
        Err(Failure::contended(attached_key(EVENT_INVOKES, &arn)))
    }

    pub(crate) async fn get_event_invoke_config(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = latest_named(call.function(Naming::Namespaced)?);
        self.attachable(&arn).await.map_err(config_missing(&arn))?;
        let (config, _) = self.event_invoke_config(&arn).await?;
        Ok(json(StatusCode::OK, &Answer::new(&arn, config)))
    }

    pub(crate) async fn delete_event_invoke_config(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = latest_named(call.function(Naming::Namespaced)?);
        self.attachable(&arn).await.map_err(config_missing(&arn))?;
        self.event_invoke_config(&arn).await?;
        let key = attached_key(EVENT_INVOKES, &arn);
        self.rows.delete(&key, Expect::Any).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn list_event_invoke_configs(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = call.function(Naming::Namespaced)?;
        let page = Page::parse(call.query)?;
        let found = self.functions.existing(&arn).await;
        found.map_err(function_missing)?;
        let prefix = attached_prefix(EVENT_INVOKES, &arn.scope, &arn.name);
        let (rows, next_marker) = page.of_rows(self.rows.all(&prefix).await?, &prefix);
        let mut function_event_invoke_configs = Vec::new();
        for row in &rows {
            // Keys are built from qualifiers, so one without a valid qualifier was not written by us.
            let Ok(qualifier) = Qualifier::parse(&row.key[prefix.len()..]) else {
                continue;
            };
            let arn = arn.qualified(qualifier);
            function_event_invoke_configs.push(Answer::new(&arn, decode(row)?));
        }
        let answer = List {
            function_event_invoke_configs,
            next_marker,
        };
        Ok(json(StatusCode::OK, &answer))
    }

    /// What to set, for which qualifier, checked.
    async fn event_invoke_request(&self, call: &Call<'_>) -> Result<(FunctionArn, Body), Failure> {
        let arn = latest_named(call.function(Naming::Namespaced)?);
        let body: Body = parse_now(call.body)?;
        if body.is_empty() {
            let message = "You must specify at least one of error handling or destination setting.";
            return Err(ApiError::invalid_parameter(message).into());
        }
        let function = self.attachable(&arn).await.map_err(function_missing)?;
        if let Some(destinations) = &body.destination_config {
            let role = self.version_of(&function, &arn).await?.role;
            self.check_event_destinations((&arn, &role), destinations)
                .await?;
        }
        Ok((arn, body))
    }

    async fn event_invoke_config(
        &self,
        arn: &FunctionArn,
    ) -> Result<(EventInvokeConfig, Revision), Failure> {
        let found = self.rows.get(&attached_key(EVENT_INVOKES, arn)).await?;
        found.ok_or_else(|| no_config(arn).into())
    }
}

fn no_config(arn: &FunctionArn) -> ApiError {
    ApiError::not_found(format!(
        "The function {arn} doesn't have an EventInvokeConfig"
    ))
}

/// A missing function or qualifier is reported as one without settings.
fn config_missing(arn: &FunctionArn) -> impl Fn(Failure) -> Failure {
    move |failure| match failure {
        Failure::Refused(error) if error.status == StatusCode::NOT_FOUND => no_config(arn).into(),
        other => other,
    }
}

impl Body {
    fn is_empty(&self) -> bool {
        self.maximum_retry_attempts.is_none()
            && self.maximum_event_age_in_seconds.is_none()
            && self.destination_config.is_none()
    }

    /// Replaces the given members.
    fn over(&self, before: EventInvokeConfig, now: Timestamp) -> EventInvokeConfig {
        let (on_success, on_failure) = match &self.destination_config {
            Some(given) => (
                given.on_success().map(str::to_owned),
                given.on_failure().map(str::to_owned),
            ),
            None => (before.on_success, before.on_failure),
        };
        EventInvokeConfig {
            retry_attempts_max: self.maximum_retry_attempts.or(before.retry_attempts_max),
            event_age_seconds_max: self
                .maximum_event_age_in_seconds
                .or(before.event_age_seconds_max),
            on_success,
            on_failure,
            last_modified: now,
        }
    }
}

impl Answer {
    fn new(arn: &FunctionArn, config: EventInvokeConfig) -> Self {
        Self {
            last_modified: config.last_modified.as_millis() as f64 / 1000.0,
            function_arn: arn.to_string(),
            maximum_retry_attempts: config.retry_attempts_max,
            maximum_event_age_in_seconds: config.event_age_seconds_max,
            destination_config: DestinationConfig::of_events(config.on_success, config.on_failure),
        }
    }
}

/// The function with its qualifier, which is `$LATEST` if none is given.
pub(crate) fn latest_named(arn: FunctionArn) -> FunctionArn {
    match arn.qualifier {
        None => arn.qualified(Qualifier::Version(Version::Latest)),
        Some(_) => arn,
    }
}
