//! Functions.

use http::Method;
use serde_json::{Map, Value, json};

use super::{Live, Made, shape, tags};
use crate::api::{Error, lambda};
use crate::plan::changed;
use crate::record::{Properties, Recorded, fingerprint};
use crate::resource::{CODE, EVERYTHING};

/// Members that are written in the API as in templates.
const SAME: [&str; 15] = [
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
];
/// What the configuration is made of, by its names in templates.
fn is_configuration(property: &str) -> bool {
    SAME.contains(&property) || property == "KmsKeyArn"
}

impl Live {
    pub(super) async fn create_function(&self, it: &Recorded) -> Result<Made, Error> {
        let properties = &it.properties;
        let name = name(it);
        let mut body = configuration(properties);
        body.extend(shape::chosen(
            properties,
            &["Architectures", "CodeSigningConfigArn", "PackageType"],
        ));
        body.insert("FunctionName".to_owned(), name.into());
        let code = properties.get("Code").cloned().unwrap_or_default();
        body.insert("Code".to_owned(), self.code(&code)?);
        let tags = tags::map(properties);
        if !tags.is_empty() {
            body.insert("Tags".to_owned(), tags.into());
        }
        let path = "/2015-03-31/functions";
        let answer = lambda(self.api(), Method::POST, path, Some(&body.into())).await?;
        let arn = shape::told(&answer, "FunctionArn")?.to_owned();
        self.settled(name, None).await?;
        self.beside(name, &Properties::new(), properties).await?;
        Ok(made(name, &arn, properties))
    }

    pub(super) async fn update_function(
        &self,
        before: &Recorded,
        to: &Properties,
    ) -> Result<Made, Error> {
        let name = name(before);
        let arn = before.attributes.get("Arn").and_then(Value::as_str);
        let arn = arn.unwrap_or_default().to_owned();
        let path = format!("/2015-03-31/functions/{}", shape::in_path(name));
        let differ = changed(&before.properties, to);
        let has = |property: &str| differ.iter().any(|name| name == property);
        // A deploy that was killed may have left an update on its way.
        self.settled(name, None).await?;
        if differ.iter().any(|property| is_configuration(property)) {
            let mut body = configuration(to);
            for property in differ.iter().filter(|name| !to.contains_key(*name)) {
                body.extend(as_if_never_said(property));
            }
            let target = format!("{path}/configuration");
            lambda(self.api(), Method::PUT, target, Some(&body.into())).await?;
            self.settled(name, None).await?;
        }
        if has("Code") || has("Architectures") {
            let code = before.properties.get("Code").cloned().unwrap_or_default();
            self.preserve(name, &code).await?;
            let code = to.get("Code").cloned().unwrap_or_default();
            let mut body = match self.code(&code)? {
                Value::Object(fields) => fields,
                _ => Map::new(),
            };
            let architectures = to.get("Architectures").cloned();
            body.insert(
                "Architectures".to_owned(),
                architectures.unwrap_or_else(|| json!(["x86_64"])),
            );
            let target = format!("{path}/code");
            lambda(self.api(), Method::PUT, target, Some(&body.into())).await?;
            self.settled(name, None).await?;
        }
        if has("Tags") {
            self.retag(&arn, &before.properties, to).await?;
        }
        if has("CodeSigningConfigArn") {
            self.sign(name, to).await?;
        }
        self.beside(name, &before.properties, to).await?;
        Ok(made(name, &arn, to))
    }

    pub(super) async fn delete_function(&self, it: &Recorded) -> Result<(), Error> {
        let path = format!("/2015-03-31/functions/{}", shape::in_path(name(it)));
        lambda(self.api(), Method::DELETE, path, None).await?;
        Ok(())
    }

    /// What is set by operations of its own.
    async fn beside(&self, name: &str, before: &Properties, to: &Properties) -> Result<(), Error> {
        let encoded = shape::in_path(name);
        let differs = |property: &str| before.get(property) != to.get(property);
        let api = self.api();
        if differs("ReservedConcurrentExecutions") {
            let path = format!("/2017-10-31/functions/{encoded}/concurrency");
            match to.get("ReservedConcurrentExecutions").cloned() {
                Some(mut count) => {
                    shape::numbers(&mut count);
                    let body = json!({ "ReservedConcurrentExecutions": count });
                    lambda(api, Method::PUT, path, Some(&body)).await?;
                }
                None => drop(lambda(api, Method::DELETE, path, None).await?),
            }
        }
        if differs("RuntimeManagementConfig") {
            let path = format!("/2021-07-20/functions/{encoded}/runtime-management-config");
            let body = to.get("RuntimeManagementConfig").cloned();
            let body = body.unwrap_or_else(|| json!({ "UpdateRuntimeOn": "Auto" }));
            lambda(api, Method::PUT, path, Some(&body)).await?;
        }
        if differs("RecursiveLoop") {
            let path = format!("/2024-08-31/functions/{encoded}/recursion-config");
            let setting = to.get("RecursiveLoop").cloned();
            let body = json!({ "RecursiveLoop": setting.unwrap_or_else(|| "Terminate".into()) });
            lambda(api, Method::PUT, path, Some(&body)).await?;
        }
        Ok(())
    }

    async fn sign(&self, name: &str, to: &Properties) -> Result<(), Error> {
        let encoded = shape::in_path(name);
        let path = format!("/2020-06-30/functions/{encoded}/code-signing-config");
        match shape::text(to, "CodeSigningConfigArn") {
            Some(arn) => {
                let body = json!({ "CodeSigningConfigArn": arn });
                lambda(self.api(), Method::PUT, path, Some(&body)).await?;
            }
            None => drop(lambda(self.api(), Method::DELETE, path, None).await?),
        }
        Ok(())
    }
}

fn name(it: &Recorded) -> &str {
    shape::text(&it.properties, "FunctionName").unwrap_or(&it.name)
}

fn made(name: &str, arn: &str, properties: &Properties) -> Made {
    let code = fingerprint(properties.get("Code").unwrap_or(&Value::Null));
    let all = fingerprint(&Value::Object(properties.clone()));
    Made::new(name, [("Arn", arn), (CODE, &code), (EVERYTHING, &all)])
}

/// The members of a configuration.
fn configuration(properties: &Properties) -> Map<String, Value> {
    let mut body = shape::chosen(properties, &SAME);
    for name in ["MemorySize", "Timeout", "EphemeralStorage"] {
        if let Some(value) = body.get_mut(name) {
            shape::numbers(value);
        }
    }
    if let Some(Value::Object(environment)) = body.get_mut("Environment")
        && let Some(variables) = environment.get_mut("Variables")
    {
        *variables = shape::texts(variables);
    }
    if let Some(key) = properties.get("KmsKeyArn") {
        body.insert("KMSKeyArn".to_owned(), key.clone());
    }
    body
}

/// What undoes a setting that a template does not have any more.
fn as_if_never_said(property: &str) -> Option<(String, Value)> {
    let value = match property {
        "DeadLetterConfig" => json!({ "TargetArn": "" }),
        "Description" => json!(""),
        "Environment" => json!({ "Variables": {} }),
        "EphemeralStorage" => json!({ "Size": 512 }),
        "FileSystemConfigs" | "Layers" => json!([]),
        "LoggingConfig" => json!({ "LogFormat": "Text" }),
        "MemorySize" => json!(128),
        "SnapStart" => json!({ "ApplyOn": "None" }),
        "Timeout" => json!(3),
        "TracingConfig" => json!({ "Mode": "PassThrough" }),
        "VpcConfig" => json!({ "SubnetIds": [], "SecurityGroupIds": [] }),
        "KmsKeyArn" => return Some(("KMSKeyArn".to_owned(), json!(""))),
        _ => return None,
    };
    Some((property.to_owned(), value))
}
