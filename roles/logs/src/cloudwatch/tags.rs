//! Tags of log groups, in the two ways in which requests name them.

use std::collections::BTreeMap;

use authn::authorisation::request_tags;
use bytes::Bytes;
use http::Response;
use policy::Context;
use serde::{Deserialize, Serialize};
use types::limits::TAGS_MAX;
use wire::json_rpc::{JsonError, answer, nothing};

use super::constraints::Check;
use super::groups::{group_arn, invalid, name_of};
use super::{Ask, CloudWatch, Error};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct TagGroup {
    log_group_name: Option<String>,
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct UntagGroup {
    log_group_name: Option<String>,
    tags: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Resource {
    resource_arn: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    tag_keys: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Tags {
    tags: BTreeMap<String, String>,
}

impl CloudWatch {
    pub(super) async fn tag_group(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: TagGroup = ask.members()?;
        let mut check = Check::default();
        check
            .required("logGroupName", wanted.log_group_name.as_ref())
            .group("logGroupName", wanted.log_group_name.as_ref())
            .required("tags", wanted.tags.as_ref())
            .tags(wanted.tags.as_ref());
        check.finish()?;
        let name = wanted.log_group_name.unwrap_or_default();
        self.add_tags(ask, &name, wanted.tags.unwrap_or_default())
            .await
    }

    pub(super) async fn untag_group(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: UntagGroup = ask.members()?;
        let mut check = Check::default();
        check
            .required("logGroupName", wanted.log_group_name.as_ref())
            .group("logGroupName", wanted.log_group_name.as_ref())
            .required("tags", wanted.tags.as_ref())
            .tag_keys("tags", wanted.tags.as_deref(), (1, usize::MAX));
        check.finish()?;
        let name = wanted.log_group_name.unwrap_or_default();
        self.remove_tags(ask, &name, wanted.tags.unwrap_or_default())
            .await
    }

    pub(super) async fn list_group_tags(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let name = self.named_group(ask).await?;
        self.list_tags(ask, &name).await
    }

    pub(super) async fn tag_resource(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: Resource = ask.members()?;
        let mut check = wanted.check();
        check
            .required("tags", wanted.tags.as_ref())
            .tags(wanted.tags.as_ref());
        check.finish()?;
        let name = wanted.group(ask)?;
        self.add_tags(ask, &name, wanted.tags.unwrap_or_default())
            .await
    }

    pub(super) async fn untag_resource(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: Resource = ask.members()?;
        let mut check = wanted.check();
        check
            .required("tagKeys", wanted.tag_keys.as_ref())
            .tag_keys("tagKeys", wanted.tag_keys.as_deref(), (0, TAGS_MAX));
        check.finish()?;
        let name = wanted.group(ask)?;
        self.remove_tags(ask, &name, wanted.tag_keys.unwrap_or_default())
            .await
    }

    pub(super) async fn list_resource_tags(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: Resource = ask.members()?;
        wanted.check().finish()?;
        let name = wanted.group(ask)?;
        self.list_tags(ask, &name).await
    }

    async fn add_tags(
        &self,
        ask: &Ask<'_>,
        name: &str,
        new: BTreeMap<String, String>,
    ) -> Result<Response<Bytes>, Error> {
        let arn = group_arn(&ask.scope, name);
        self.may(ask, name, &arn, request_tags(&new)).await?;
        self.change(&ask.scope, name, |group| {
            group.tags.extend(new.clone());
            match group.tags.len() > TAGS_MAX {
                true => Err(JsonError::refused(
                    "TooManyTagsException",
                    format!("A resource can have no more than {TAGS_MAX} tags."),
                )),
                false => Ok(()),
            }
        })
        .await?;
        Ok(nothing())
    }

    async fn remove_tags(
        &self,
        ask: &Ask<'_>,
        name: &str,
        keys: Vec<String>,
    ) -> Result<Response<Bytes>, Error> {
        let arn = group_arn(&ask.scope, name);
        let mut context = Context::new();
        context.set_all("aws:TagKeys", keys.iter().cloned());
        self.may(ask, name, &arn, context).await?;
        self.change(&ask.scope, name, |group| {
            group.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await?;
        Ok(nothing())
    }

    async fn list_tags(&self, ask: &Ask<'_>, name: &str) -> Result<Response<Bytes>, Error> {
        let arn = group_arn(&ask.scope, name);
        self.may(ask, name, &arn, Context::new()).await?;
        let tags = self.group(&ask.scope, name).await?.tags;
        Ok(answer(&Tags { tags }))
    }
}

impl Resource {
    fn check(&self) -> Check {
        let mut check = Check::default();
        check
            .required("resourceArn", self.resource_arn.as_ref())
            .resource("resourceArn", self.resource_arn.as_ref());
        check
    }

    /// The group that the ARN identifies.
    fn group(&self, ask: &Ask<'_>) -> Result<String, JsonError> {
        let arn = self.resource_arn.as_deref().unwrap_or_default();
        match arn.starts_with("arn:") {
            true => name_of(&ask.scope, arn),
            false => Err(invalid(format!("Invalid resource ARN: {arn}"))),
        }
    }
}
