//! GetFunction, GetFunctionConfiguration, ListFunctions.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use records::functions::{Configuration, Function};
use serde::Serialize;
use settings::functions::{FunctionConfiguration, arn_of, version_arn};
use types::{FunctionArn, Qualifier, Version};
use wire::function_name::Naming;
use wire::uri::query_value;

use crate::answer::json;
use crate::call::Call;
use crate::failure::Failure;
use crate::function_rows::not_found;
use crate::page::Page;
use crate::service::Control;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetFunction<'f> {
    configuration: FunctionConfiguration<'f>,
    code: CodeLocation,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'f BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<Concurrency>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CodeLocation {
    repository_type: &'static str,
    location: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Concurrency {
    reserved_concurrent_executions: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListFunctions<'f> {
    functions: Vec<FunctionConfiguration<'f>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Control {
    pub(crate) async fn get_function(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = call.function(Naming::Namespaced)?;
        let (function, _) = self.functions.existing(&arn).await?;
        let configuration = self.version_of(&function, &arn).await?;
        let answer = GetFunction {
            configuration: FunctionConfiguration::new(&arn, &configuration),
            code: CodeLocation {
                repository_type: "S3",
                location: self.code_link(call, &configuration.code.image),
            },
            tags: &function.tags,
            concurrency: function.reserved_concurrency.map(|limit| Concurrency {
                reserved_concurrent_executions: limit,
            }),
        };
        Ok(json(StatusCode::OK, &answer))
    }

    pub(crate) async fn get_function_configuration(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = call.function(Naming::Namespaced)?;
        let (function, _) = self.functions.existing(&arn).await?;
        let configuration = self.version_of(&function, &arn).await?;
        Ok(json(
            StatusCode::OK,
            &FunctionConfiguration::new(&arn, &configuration),
        ))
    }

    pub(crate) async fn list_functions(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        call.authorise(&call.scope.account, "*")?;
        let versions = query_value(call.query, "FunctionVersion");
        let page = Page::parse(call.query)?;
        let mut items = match versions {
            Some(_) => self.all_versions(call, &page).await?,
            None => self.latest_versions(call, &page).await?,
        };
        // One more than requested was read: its existence says whether there is a next page.
        let more = items.len() > page.limit;
        items.truncate(page.limit);
        let next_marker = items
            .last()
            .filter(|_| more)
            .map(|item| Page::marker(&item.place));
        let functions = items.iter().map(Item::shape).collect();
        Ok(json(
            StatusCode::OK,
            &ListFunctions {
                functions,
                next_marker,
            },
        ))
    }

    async fn latest_versions(&self, call: &Call<'_>, page: &Page) -> Result<Vec<Item>, Failure> {
        let after = page.after.as_deref();
        let functions = self
            .functions
            .functions(&call.scope, after, page.limit + 1)
            .await?;
        let item = |function: Function| Item {
            place: function.name.to_string(),
            arn: arn_of(&function),
            configuration: function.latest,
        };
        Ok(functions.into_iter().map(item).collect())
    }

    /// `$LATEST` and the published versions of every function; a place is `name` or `name:number`.
    async fn all_versions(&self, call: &Call<'_>, page: &Page) -> Result<Vec<Item>, Failure> {
        let mut items = Vec::new();
        let mut after = page.after.clone();
        if let Some((name, number)) = after.as_deref().and_then(|place| place.split_once(':')) {
            let number = number.parse().unwrap_or(u64::MAX);
            let name = name.to_owned();
            if let Ok(name) = types::FunctionName::new(&name)
                && let Some((function, _)) = self.functions.function(&call.scope, &name).await?
            {
                self.add_versions(&function, number, page.limit, &mut items)
                    .await?;
            }
            after = Some(name);
        } else if let Some(place) = after.as_deref() {
            // The page before ended with this function's `$LATEST`.
            if let Ok(name) = types::FunctionName::new(place)
                && let Some((function, _)) = self.functions.function(&call.scope, &name).await?
            {
                self.add_versions(&function, 0, page.limit, &mut items)
                    .await?;
            }
        }
        while items.len() <= page.limit {
            let found = self
                .functions
                .functions(&call.scope, after.as_deref(), page.limit + 1)
                .await?;
            let Some(last) = found.last() else { break };
            after = Some(last.name.to_string());
            for function in found {
                items.push(Item {
                    place: function.name.to_string(),
                    arn: version_arn(&arn_of(&function), &function.latest),
                    configuration: function.latest.clone(),
                });
                self.add_versions(&function, 0, page.limit, &mut items)
                    .await?;
                if items.len() > page.limit {
                    break;
                }
            }
        }
        Ok(items)
    }

    async fn add_versions(
        &self,
        function: &Function,
        after: u64,
        limit: usize,
        items: &mut Vec<Item>,
    ) -> Result<(), Failure> {
        let arn = arn_of(function);
        for configuration in self.functions.versions(function, after, limit + 1).await? {
            items.push(Item {
                place: format!("{}:{}", function.name, configuration.version),
                arn: version_arn(&arn, &configuration),
                configuration,
            });
        }
        Ok(())
    }

    /// The configuration that `arn`'s qualifier resolves to: `$LATEST`, a published version, or the
    /// version an alias points at.
    pub(crate) async fn version_of(
        &self,
        function: &Function,
        arn: &FunctionArn,
    ) -> Result<Configuration, Failure> {
        let version = match &arn.qualifier {
            None => Version::Latest,
            Some(Qualifier::Version(version)) => *version,
            Some(Qualifier::Alias(alias)) => {
                let found = self.functions.alias(&arn.scope, &arn.name, alias).await?;
                found.ok_or_else(|| not_found(arn))?.0.version
            }
        };
        match version {
            Version::Latest => Ok(function.latest.clone()),
            Version::Published(number) if number <= function.published => {
                let found = self
                    .functions
                    .version(&arn.scope, &arn.name, number)
                    .await?;
                Ok(found.ok_or_else(|| not_found(arn))?.0)
            }
            Version::Published(_) => Err(not_found(arn).into()),
        }
    }
}

/// One entry of a list.
struct Item {
    /// Its position, after which the next page begins.
    place: String,
    arn: FunctionArn,
    configuration: Configuration,
}

impl Item {
    fn shape(&self) -> FunctionConfiguration<'_> {
        FunctionConfiguration::listed(&self.arn, &self.configuration)
    }
}
