//! Roles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::iam::document;
use super::{Live, Made, shape, tags};
use crate::api::Error;
use crate::record::{Properties, Recorded};
use crate::template::evaluate::text_of;

impl Live {
    pub(super) async fn create_role(&self, it: &Recorded) -> Result<Made, Error> {
        let to = &it.properties;
        let name = name(it);
        let trust = document(to, "AssumeRolePolicyDocument");
        let mut parameters = vec![("RoleName", name), ("AssumeRolePolicyDocument", &trust)];
        for property in ["Description", "Path"] {
            parameters.extend(shape::text(to, property).map(|text| (property, text)));
        }
        let duration = to.get("MaxSessionDuration").and_then(text_of);
        parameters.extend(duration.as_deref().map(|text| ("MaxSessionDuration", text)));
        let tags = tag_parameters(to);
        parameters.extend(
            tags.iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        );
        let answer = self.iam("CreateRole", &parameters).await?;
        self.rights(name, &Properties::new(), to).await?;
        let id = answer.text_of("RoleId").unwrap_or_default();
        let arn = self.arn_of("role", it, "RoleName");
        Ok(Made::new(name, [("Arn", &arn), ("RoleId", id)]))
    }

    pub(super) async fn update_role(
        &self,
        before: &Recorded,
        to: &Properties,
    ) -> Result<Made, Error> {
        let name = name(before);
        let differs = |property: &str| before.properties.get(property) != to.get(property);
        if differs("AssumeRolePolicyDocument") {
            let trust = document(to, "AssumeRolePolicyDocument");
            let parameters = [("RoleName", name), ("PolicyDocument", trust.as_str())];
            self.iam("UpdateAssumeRolePolicy", &parameters).await?;
        }
        if differs("Description") || differs("MaxSessionDuration") {
            let description = shape::text(to, "Description").unwrap_or_default();
            let duration = to.get("MaxSessionDuration").and_then(text_of);
            // An hour is what a role has that says nothing.
            let duration = duration.unwrap_or_else(|| "3600".to_owned());
            let parameters = [
                ("RoleName", name),
                ("Description", description),
                ("MaxSessionDuration", &duration),
            ];
            self.iam("UpdateRole", &parameters).await?;
        }
        if differs("Tags") {
            self.retag_role(name, &before.properties, to).await?;
        }
        self.rights(name, &before.properties, to).await?;
        Ok(Made {
            id: before.id.clone(),
            attributes: before.attributes.clone(),
        })
    }

    pub(super) async fn delete_role(&self, it: &Recorded) -> Result<(), Error> {
        let name = name(it);
        self.rights(name, &it.properties, &Properties::new())
            .await?;
        self.iam_gone("DeleteRole", &[("RoleName", name)]).await
    }

    /// Brings the policies of a role to what they are to be: new ones first, so that what stays
    /// allowed is allowed all the time.
    async fn rights(&self, role: &str, before: &Properties, to: &Properties) -> Result<(), Error> {
        let (had, has) = (managed(before), managed(to));
        for arn in has.difference(&had) {
            let parameters = [("RoleName", role), ("PolicyArn", arn)];
            self.iam("AttachRolePolicy", &parameters).await?;
        }
        let (had_inline, has_inline) = (inline(before), inline(to));
        for (name, document) in &has_inline {
            if had_inline.get(name) != Some(document) {
                let parameters = [
                    ("RoleName", role),
                    ("PolicyName", name),
                    ("PolicyDocument", document),
                ];
                self.iam("PutRolePolicy", &parameters).await?;
            }
        }
        for arn in had.difference(&has) {
            let parameters = [("RoleName", role), ("PolicyArn", arn)];
            self.iam_gone("DetachRolePolicy", &parameters).await?;
        }
        for name in had_inline
            .keys()
            .filter(|name| !has_inline.contains_key(*name))
        {
            let parameters = [("RoleName", role), ("PolicyName", name)];
            self.iam_gone("DeleteRolePolicy", &parameters).await?;
        }
        Ok(())
    }

    async fn retag_role(
        &self,
        role: &str,
        before: &Properties,
        to: &Properties,
    ) -> Result<(), Error> {
        let (had, has) = (tags::map(before), tags::map(to));
        let gone: Vec<(String, &String)> = (1..)
            .zip(had.keys().filter(|key| !has.contains_key(*key)))
            .map(|(number, key)| (format!("TagKeys.member.{number}"), key))
            .collect();
        if !gone.is_empty() {
            let mut parameters = vec![("RoleName", role)];
            parameters.extend(
                gone.iter()
                    .map(|(key, value)| (key.as_str(), value.as_str())),
            );
            self.iam("UntagRole", &parameters).await?;
        }
        let tags = tag_parameters(to);
        if !tags.is_empty() {
            let mut parameters = vec![("RoleName", role)];
            parameters.extend(
                tags.iter()
                    .map(|(key, value)| (key.as_str(), value.as_str())),
            );
            self.iam("TagRole", &parameters).await?;
        }
        Ok(())
    }
}

fn name(it: &Recorded) -> &str {
    shape::text(&it.properties, "RoleName").unwrap_or(&it.name)
}

fn managed(properties: &Properties) -> BTreeSet<&str> {
    let items = properties
        .get("ManagedPolicyArns")
        .and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Documents by their names.
fn inline(properties: &Properties) -> BTreeMap<&str, String> {
    let items = properties.get("Policies").and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(|item| {
            let document = match item.get("PolicyDocument")? {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            Some((item.get("PolicyName")?.as_str()?, document))
        })
        .collect()
}

/// Tags as a form has them.
fn tag_parameters(properties: &Properties) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    for (number, (key, value)) in (1..).zip(tags::map(properties)) {
        let start = format!("Tags.member.{number}");
        parameters.push((format!("{start}.Key"), key));
        parameters.push((
            format!("{start}.Value"),
            text_of(&value).unwrap_or_default(),
        ));
    }
    parameters
}
