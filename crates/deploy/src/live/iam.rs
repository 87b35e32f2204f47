//! IAM: its protocol, and policies.

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use wire::xml::Element;

use super::{Live, Made, shape};
use crate::api::{Call, Error, query};
use crate::record::{Properties, Recorded};

/// Versions that a managed policy has at most; the oldest goes when another is made (IAM).
const VERSIONS_MAX: usize = 5;

impl Live {
    /// One call: its parameters as a form, its answer as XML.
    pub(super) async fn iam(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Element, Error> {
        let mut form = format!("Action={action}&Version=2010-05-08");
        for (name, value) in parameters {
            let (name, value) = (wire::uri::encode(name), wire::uri::encode(value));
            form.push_str(&format!("&{name}={value}"));
        }
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let call = Call {
            service: "iam",
            method: Method::POST,
            target: "/".to_owned(),
            headers: vec![("content-type", kind.to_owned())],
            body: Bytes::from(form),
        };
        query(self.api(), call).await
    }

    /// As [`Self::iam`], where the end of something that is gone is as good.
    pub(super) async fn iam_gone(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<(), Error> {
        match self.iam(action, parameters).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// A policy within roles and users.
    pub(super) async fn put_policy(&self, name: &str, to: &Properties) -> Result<Made, Error> {
        let name = shape::text(to, "PolicyName").unwrap_or(name);
        let document = document(to, "PolicyDocument");
        for (action, key, owner) in owners(to, "Put", "Policy") {
            let parameters = [
                (key, owner.as_str()),
                ("PolicyName", name),
                ("PolicyDocument", &document),
            ];
            self.iam(&action, &parameters).await?;
        }
        Ok(Made::new(name, []))
    }

    pub(super) async fn update_policy(
        &self,
        before: &Recorded,
        to: &Properties,
    ) -> Result<Made, Error> {
        let made = self.put_policy(&before.name, to).await?;
        let kept = owners(to, "Delete", "Policy");
        for gone in owners(&before.properties, "Delete", "Policy") {
            if !kept.contains(&gone) {
                let (action, key, owner) = gone;
                let parameters = [(key, owner.as_str()), ("PolicyName", &made.id)];
                self.iam_gone(&action, &parameters).await?;
            }
        }
        Ok(made)
    }

    pub(super) async fn delete_policy(&self, it: &Recorded) -> Result<(), Error> {
        let name = shape::text(&it.properties, "PolicyName").unwrap_or(&it.name);
        for (action, key, owner) in owners(&it.properties, "Delete", "Policy") {
            let parameters = [(key, owner.as_str()), ("PolicyName", name)];
            self.iam_gone(&action, &parameters).await?;
        }
        Ok(())
    }

    pub(super) async fn create_managed_policy(&self, it: &Recorded) -> Result<Made, Error> {
        let to = &it.properties;
        let name = shape::text(to, "ManagedPolicyName").unwrap_or(&it.name);
        let document = document(to, "PolicyDocument");
        let mut parameters = vec![("PolicyName", name), ("PolicyDocument", &document)];
        for property in ["Description", "Path"] {
            parameters.extend(shape::text(to, property).map(|text| (property, text)));
        }
        let answer = self.iam("CreatePolicy", &parameters).await?;
        let arn = answer.text_of("Arn");
        let arn = arn.ok_or_else(|| Error::Answer("CreatePolicy".to_owned()))?;
        for (action, key, owner) in owners(to, "Attach", "Policy") {
            self.iam(&action, &[(key, owner.as_str()), ("PolicyArn", arn)])
                .await?;
        }
        Ok(Made::new(arn, [("PolicyArn", arn)]))
    }

    pub(super) async fn update_managed_policy(
        &self,
        before: &Recorded,
        to: &Properties,
    ) -> Result<Made, Error> {
        let arn = before.id.as_str();
        if before.properties.get("PolicyDocument") != to.get("PolicyDocument") {
            let old = self.old_versions(arn).await?;
            if old.len() + 1 >= VERSIONS_MAX
                && let Some(oldest) = old.last()
            {
                let parameters = [("PolicyArn", arn), ("VersionId", oldest)];
                self.iam_gone("DeletePolicyVersion", &parameters).await?;
            }
            let document = document(to, "PolicyDocument");
            let parameters = [
                ("PolicyArn", arn),
                ("PolicyDocument", &document),
                ("SetAsDefault", "true"),
            ];
            self.iam("CreatePolicyVersion", &parameters).await?;
        }
        let (had, has) = (
            owners(&before.properties, "Detach", "Policy"),
            owners(to, "Detach", "Policy"),
        );
        for (action, key, owner) in had.iter().filter(|owner| !has.contains(owner)) {
            let parameters = [(*key, owner.as_str()), ("PolicyArn", arn)];
            self.iam_gone(action, &parameters).await?;
        }
        for (action, key, owner) in owners(to, "Attach", "Policy") {
            let parameters = [(key, owner.as_str()), ("PolicyArn", arn)];
            self.iam(&action, &parameters).await?;
        }
        Ok(Made::new(arn, [("PolicyArn", arn)]))
    }

    pub(super) async fn delete_managed_policy(&self, it: &Recorded) -> Result<(), Error> {
        let arn = match it.id.is_empty() {
            true => self.arn_of("policy", it, "ManagedPolicyName"),
            false => it.id.clone(),
        };
        for (action, key, owner) in owners(&it.properties, "Detach", "Policy") {
            let parameters = [(key, owner.as_str()), ("PolicyArn", &arn)];
            self.iam_gone(&action, &parameters).await?;
        }
        for version in self.old_versions(&arn).await? {
            let parameters = [("PolicyArn", arn.as_str()), ("VersionId", &version)];
            self.iam_gone("DeletePolicyVersion", &parameters).await?;
        }
        self.iam_gone("DeletePolicy", &[("PolicyArn", &arn)]).await
    }

    /// Versions that are not the default, the latest first.
    async fn old_versions(&self, arn: &str) -> Result<Vec<String>, Error> {
        let answer = self
            .iam("ListPolicyVersions", &[("PolicyArn", arn)])
            .await?;
        let versions = answer.find("Versions").map(|list| list.inside.as_slice());
        let old = versions.unwrap_or_default().iter();
        let old = old.filter(|version| version.text_of("IsDefaultVersion") != Some("true"));
        let ids = old.filter_map(|version| version.text_of("VersionId"));
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        let number = |id: &String| id.trim_start_matches('v').parse::<u64>().unwrap_or(0);
        ids.sort_by_key(|id| std::cmp::Reverse(number(id)));
        Ok(ids)
    }

    /// The ARN that something of IAM has by its path and name.
    pub(super) fn arn_of(&self, kind: &str, it: &Recorded, named_by: &str) -> String {
        let path = shape::text(&it.properties, "Path").unwrap_or("/");
        let name = shape::text(&it.properties, named_by).unwrap_or(&it.name);
        format!("arn:aws:iam::{}:{kind}{path}{name}", self.identity.account)
    }
}

/// A policy document as text.
pub(super) fn document(properties: &Properties, name: &str) -> String {
    match properties.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// `(action, parameter, name)` for each of `Roles` and `Users`.
pub(super) fn owners(
    properties: &Properties,
    verb: &str,
    what: &str,
) -> Vec<(String, &'static str, String)> {
    let mut found = Vec::new();
    for (list, kind, key) in [("Roles", "Role", "RoleName"), ("Users", "User", "UserName")] {
        let items = properties.get(list).and_then(Value::as_array);
        for name in items.into_iter().flatten().filter_map(Value::as_str) {
            found.push((format!("{verb}{kind}{what}"), key, name.to_owned()));
        }
    }
    found
}
