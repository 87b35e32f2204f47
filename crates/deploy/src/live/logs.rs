//! Log groups.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{Live, Made, shape, tags};
use crate::api::{Call, Error};
use crate::record::{Properties, Recorded};

impl Live {
    pub(super) async fn create_log_group(&self, it: &Recorded) -> Result<Made, Error> {
        let name = name(it);
        let mut body = json!({ "logGroupName": name });
        let tags = tags::map(&it.properties);
        if !tags.is_empty() {
            body["tags"] = tags.into();
        }
        self.logs("CreateLogGroup", &body).await?;
        self.retain_logs(name, &it.properties).await?;
        let arn = self.log_group_arn(name);
        Ok(Made::new(name, [("Arn", &format!("{arn}:*"))]))
    }

    pub(super) async fn update_log_group(
        &self,
        before: &Recorded,
        to: &Properties,
    ) -> Result<Made, Error> {
        let name = name(before);
        if before.properties.get("RetentionInDays") != to.get("RetentionInDays") {
            self.retain_logs(name, to).await?;
        }
        let (had, has) = (tags::map(&before.properties), tags::map(to));
        let arn = self.log_group_arn(name);
        let gone: Vec<&String> = had.keys().filter(|key| !has.contains_key(*key)).collect();
        if !gone.is_empty() {
            let body = json!({ "resourceArn": arn, "tagKeys": gone });
            self.logs("UntagResource", &body).await?;
        }
        if had != has && !has.is_empty() {
            let body = json!({ "resourceArn": arn, "tags": has });
            self.logs("TagResource", &body).await?;
        }
        Ok(Made {
            id: before.id.clone(),
            attributes: before.attributes.clone(),
        })
    }

    pub(super) async fn delete_log_group(&self, it: &Recorded) -> Result<(), Error> {
        let body = json!({ "logGroupName": name(it) });
        match self.logs("DeleteLogGroup", &body).await {
            Err(Error::Refused { code, .. }) if code.starts_with("ResourceNotFound") => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    async fn retain_logs(&self, name: &str, to: &Properties) -> Result<(), Error> {
        match to.get("RetentionInDays").cloned() {
            Some(mut days) => {
                shape::numbers(&mut days);
                let body = json!({ "logGroupName": name, "retentionInDays": days });
                self.logs("PutRetentionPolicy", &body).await?;
            }
            None => {
                let body = json!({ "logGroupName": name });
                self.logs("DeleteRetentionPolicy", &body).await?;
            }
        }
        Ok(())
    }

    fn log_group_arn(&self, name: &str) -> String {
        let (region, account) = (&self.identity.region, &self.identity.account);
        format!("arn:aws:logs:{region}:{account}:log-group:{name}")
    }

    pub(super) async fn logs(&self, action: &str, body: &Value) -> Result<Value, Error> {
        let call = Call {
            service: "logs",
            method: Method::POST,
            target: "/".to_owned(),
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", format!("Logs_20140328.{action}")),
            ],
            body: Bytes::from(body.to_string()),
        };
        crate::api::json(self.api(), call).await
    }
}

fn name(it: &Recorded) -> &str {
    shape::text(&it.properties, "LogGroupName").unwrap_or(&it.name)
}
