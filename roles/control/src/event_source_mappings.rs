//! Event source mappings: the resource. Pollers, which are separate, read its rows.
//!
//! What a request may contain, and the answers, are `settings::mappings`; that no two are alike is
//! ensured by [`claims`].

mod claims;

use authn::authorisation::{request_tags, resource_tags};
use bytes::Bytes;
use http::{Response, StatusCode};
use policy::Context;
use records::event_sources::{Mapping, mapping_arn, mapping_key, mappings_prefix};
use serde::Serialize;
use settings::functions::check_tags;
use settings::mappings::{
    Answer, Kind, Members, State, TIMEOUT_SECONDS_MAX, apply, apply_to_source, check,
    check_access_is_given, defaults, source, starting_position, unsupported_destinations,
};
use storage::Expect;
use tables::{TRIES_MAX, decode};
use types::{FunctionArn, Qualifier, Version};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::uri::query_value;

use claims::Taken;

use crate::answer::json;
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::page::Page;
use crate::service::Control;

/// The most mappings in one answer (AWS).
const PAGE_MAX: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    event_source_mappings: Vec<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Control {
    pub(crate) async fn create_mapping(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let members: Members = parse_now(call.body)?;
        let id = self.random.uuid().to_string();
        let mut context = Context::new();
        if let Some(name) = &members.function_name {
            let function = function_named(call, name)?;
            context.set("lambda:FunctionArn", function.to_string());
        }
        if let Some(tags) = &members.tags {
            context.extend(request_tags(tags));
        }
        call.authorise_with(&call.scope.account, "*", context)?;
        refuse_later(&members)?;
        let now = self.clock.now();
        let source = source(&members, &id, &call.scope.region)?;
        check_access_is_given(&members, &source)?;
        let starting_position = starting_position(&members, &source, now)?;
        let function = self.mapped_function(call, &members, &source).await?;
        let mut mapping = Mapping {
            id,
            scope: call.scope.clone(),
            function: function.ok_or_else(|| ApiError::invalid_parameter(NO_FUNCTION))?,
            source,
            enabled: true,
            batch_size: 0,
            window_seconds: None,
            filters: Vec::new(),
            kms_key: None,
            starting_position,
            failures: Default::default(),
            parallelization: None,
            tumbling_window_seconds: None,
            reports_item_failures: false,
            concurrency_max: None,
            pollers: None,
            access: Vec::new(),
            metrics: Vec::new(),
            system_log_level: None,
            tags: Default::default(),
            last_modified: now,
        };
        defaults(&mut mapping);
        apply(&members, &mut mapping);
        check(&mapping)?;
        if let Some(tags) = &members.tags {
            check_tags(tags)?;
            mapping.tags.clone_from(tags);
        }
        self.write_new(&mapping).await?;
        tracing::info!(mapping = %mapping.id, function = %mapping.function, "event source mapping created: nothing polls yet");
        let answer = Answer::new(mapping, State::Creating);
        Ok(json(StatusCode::ACCEPTED, &answer))
    }

    pub(crate) async fn update_mapping(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let members: Members = parse_now(call.body)?;
        for _ in 0..TRIES_MAX {
            let (before, revision) = self.mapping(call, members.function_name.as_deref()).await?;
            refuse_later(&members)?;
            Kind::of(&before.source).check(&members)?;
            let mut mapping = before.clone();
            apply(&members, &mut mapping);
            apply_to_source(&members, &mut mapping.source)?;
            let moved = self.mapped_function(call, &members, &before.source).await?;
            if let Some(function) = moved {
                mapping.function = function;
            }
            check(&mapping)?;
            mapping.last_modified = self.clock.now();
            if self
                .write_changed(&before, &mapping, Expect::Revision(revision))
                .await?
            {
                let state = match (before.enabled, mapping.enabled) {
                    (false, true) => State::Enabling,
                    (true, false) => State::Disabling,
                    _ => State::Updating,
                };
                let answer = Answer::new(mapping, state);
                return Ok(json(StatusCode::ACCEPTED, &answer));
            }
        }
        Err(Failure::contended(mapping_key(
            &call.scope,
            call.matched.parameter("UUID"),
        )))
    }

    pub(crate) async fn get_mapping(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let (mapping, _) = self.mapping(call, None).await?;
        let answer = Answer::new(mapping, State::Settled);
        Ok(json(StatusCode::OK, &answer))
    }

    pub(crate) async fn delete_mapping(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let (mapping, _) = self.mapping(call, None).await?;
        let key = mapping_key(&call.scope, &mapping.id);
        self.rows.delete(&key, Expect::Any).await?;
        claims::release(&self.rows, &mapping).await?;
        let answer = Answer::new(mapping, State::Deleting);
        Ok(json(StatusCode::ACCEPTED, &answer))
    }

    pub(crate) async fn list_mappings(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        call.authorise(&call.scope.account, "*")?;
        let page = Page::parse_up_to(call.query, PAGE_MAX)?;
        let source = query_value(call.query, "EventSourceArn");
        let function = match query_value(call.query, "FunctionName") {
            Some(name) => Some(function_named(call, &name)?),
            None => None,
        };
        let prefix = mappings_prefix(&call.scope);
        let mut wanted = Vec::new();
        for row in self.rows.all(&prefix).await? {
            let mapping: Mapping = decode(&row)?;
            let from = source
                .as_deref()
                .is_none_or(|arn| mapping.source.arn() == Some(arn));
            if from && function.as_ref().is_none_or(|arn| mapping.function == *arn) {
                wanted.push(row);
            }
        }
        let (rows, next_marker) = page.of_rows(wanted, &prefix);
        let answers = rows
            .iter()
            .map(|row| Ok(Answer::new(decode(row)?, State::Settled)));
        let answer = List {
            event_source_mappings: answers.collect::<Result<_, Failure>>()?,
            next_marker,
        };
        Ok(json(StatusCode::OK, &answer))
    }

    /// The mapping that the path names, if the caller may do this to it, and to the function that it is
    /// to have from now on, if one is named.
    async fn mapping(
        &self,
        call: &Call<'_>,
        moved_to: Option<&str>,
    ) -> Result<(Mapping, storage::Revision), Failure> {
        let id = call.matched.parameter("UUID").to_ascii_lowercase();
        // Ids are ours, and become part of a key.
        let is_id = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        let found: Option<(Mapping, _)> = match is_id {
            true => self.rows.get(&mapping_key(&call.scope, &id)).await?,
            false => None,
        };
        let mapping = found.as_ref().map(|(mapping, _)| mapping);
        let tags = mapping.map(|mapping| resource_tags(&mapping.tags));
        let may = |function: Option<String>| {
            let mut context = tags.clone().unwrap_or_default();
            if let Some(function) = function {
                context.set("lambda:FunctionArn", function);
            }
            call.authorise_with(&call.scope.account, &mapping_arn(&call.scope, &id), context)
        };
        may(mapping.map(|mapping| mapping.function.to_string()))?;
        if let Some(name) = moved_to {
            may(Some(function_named(call, name)?.to_string()))?;
        }
        found.ok_or_else(|| not_found().into())
    }

    /// The function that a request names, which must exist and have a timeout that suits its source.
    async fn mapped_function(
        &self,
        call: &Call<'_>,
        members: &Members,
        source: &records::event_sources::Source,
    ) -> Result<Option<FunctionArn>, Failure> {
        let Some(name) = &members.function_name else {
            return Ok(None);
        };
        let arn = function_named(call, name)?;
        let found = self.functions.function(&arn.scope, &arn.name).await?;
        let there = found.filter(|_| arn.scope == call.scope);
        let (function, _) = there.ok_or_else(|| ApiError::invalid_parameter(NO_FUNCTION))?;
        let configuration = self.version_of(&function, &arn).await?;
        let kind = Kind::of(source);
        let hurried = kind.is_kafka() || kind == Kind::Broker;
        if hurried && configuration.timeout_seconds > TIMEOUT_SECONDS_MAX {
            return Err(ApiError::invalid_parameter(format!(
                "The timeout of a function of this event source must be at most {} seconds.",
                TIMEOUT_SECONDS_MAX
            ))
            .into());
        }
        Ok(Some(arn))
    }

    async fn write_new(&self, mapping: &Mapping) -> Result<(), Failure> {
        let claimed = claims::claim(&self.rows, mapping).await?;
        let claimed = claimed.map_err(|taken| duplicate(mapping, &taken))?;
        let key = mapping_key(&mapping.scope, &mapping.id);
        let written = self.rows.put(&key, mapping, Expect::Absent).await?;
        if written.is_some() && claims::confirm(&self.rows, &claimed).await? {
            return Ok(());
        }
        self.rows.delete(&key, Expect::Any).await?;
        Err(Failure::contended(key))
    }

    /// `false` if the row is not as expected.
    async fn write_changed(
        &self,
        before: &Mapping,
        mapping: &Mapping,
        expect: Expect,
    ) -> Result<bool, Failure> {
        let key = mapping_key(&mapping.scope, &mapping.id);
        if claims::identity(before) == claims::identity(mapping) {
            return Ok(self.rows.put(&key, mapping, expect).await?.is_some());
        }
        let claimed = claims::claim(&self.rows, mapping).await?;
        let claimed = claimed.map_err(|taken| duplicate(mapping, &taken))?;
        let Some(revision) = self.rows.put(&key, mapping, expect).await? else {
            claims::release(&self.rows, mapping).await?;
            return Ok(false);
        };
        if claims::confirm(&self.rows, &claimed).await? {
            claims::release(&self.rows, before).await?;
            return Ok(true);
        }
        let undo = Expect::Revision(revision);
        self.rows.put(&key, before, undo).await?;
        Ok(false)
    }
}

const NO_FUNCTION: &str = "Function does not exist";

/// A function, version or alias; `$LATEST` is the function.
fn function_named(call: &Call<'_>, name: &str) -> Result<FunctionArn, ApiError> {
    let arn = resolve(Naming::Namespaced, name, None, &call.scope)?;
    Ok(match arn.qualifier {
        Some(Qualifier::Version(Version::Latest)) => FunctionArn {
            qualifier: None,
            ..arn
        },
        _ => arn,
    })
}

fn not_found() -> ApiError {
    ApiError::not_found("The resource you requested does not exist.")
}

fn refuse_later(members: &Members) -> Result<(), ApiError> {
    if members.has_schema_registry() {
        return Err(ApiError::not_implemented(
            "schema registries (SchemaRegistryConfig)",
        ));
    }
    let destinations = members.destination_config.as_ref();
    if destinations.is_some_and(|config| config.on_success().is_some()) {
        return Err(unsupported_destinations());
    }
    Ok(())
}

/// The refusal of a second mapping of the same source and function. The blanks are Lambda's.
fn duplicate(mapping: &Mapping, taken: &Taken) -> ApiError {
    let function = match &mapping.function.qualifier {
        Some(qualifier) => format!("{}:{qualifier}", mapping.function.name),
        None => mapping.function.name.to_string(),
    };
    let arn = mapping.source.arn().unwrap_or_default();
    let rest = format!(
        "Please update or delete the existing mapping with UUID {}",
        taken.by
    );
    ApiError::conflict(if Kind::of(&mapping.source).is_queue() {
        format!(
            "An event source mapping with SQS arn (\" {arn} \") and function (\" {function} \") already \
             exists. {rest}"
        )
    } else {
        format!(
            "The event source arn (\" {arn} \") and function (\" {function} \") provided mapping already \
             exists. {rest}"
        )
    })
}
