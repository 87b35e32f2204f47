//! What is checked before a resource is created, so that a deploy never mistakes somebody else's resource
//! for its own, and finds what it created even if it was killed before the answer came.
//!
//! ```text
//!   intend ──▶ nothing has the name; how many versions there are ──▶ written down ──▶ made
//!                                                                        └── killed: what has the
//!                                                                   name by now, or came after, is ours
//! ```

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use http::Method;
use serde_json::{Value, json};

use super::iam::owners;
use super::{Live, shape};
use crate::api::{Error, lambda};
use crate::packages::ZIP;
use crate::record::Recorded;
use crate::resource::Type;

/// The number of the newest version before one is published.
const AFTER: &str = "Lambent.After";
/// The hash of the code that is published with a version, base64.
const CODE_HASH: &str = "Lambent.CodeSha256";
/// The tag of what has an id of the server's; its value is the name it would have.
pub(super) const TAG: &str = "lambent:resource";

impl Live {
    pub(super) async fn look_before(
        &self,
        it: &Recorded,
    ) -> Result<BTreeMap<String, Value>, Error> {
        let mut known = BTreeMap::new();
        let taken = match it.kind {
            Type::Version => {
                let (newest, code) = self.newest_version(it).await?;
                known.insert(AFTER.to_owned(), newest.into());
                known.insert(CODE_HASH.to_owned(), code);
                None
            }
            Type::LayerVersion => {
                let newest = self.layer_versions(it).await?.into_iter().map(|(n, _)| n);
                known.insert(AFTER.to_owned(), newest.max().unwrap_or(0).into());
                None
            }
            Type::EventSourceMapping => {
                let mut others = self.mappings_between(&it.properties).await?;
                others.pop().map(|id| format!("the mapping {id}"))
            }
            Type::Role => {
                self.iam_has("GetRole", "RoleName", &self.name_of(it))
                    .await?
            }
            Type::ManagedPolicy => {
                let arn = self.arn_of("policy", it, "ManagedPolicyName");
                self.iam_has("GetPolicy", "PolicyArn", &arn).await?
            }
            Type::Policy => self.inline_policy_of_that_name(it).await?,
            Type::LogGroup => self.log_group_of_that_name(it).await?,
            _ => match self.path_of(it)? {
                Some(path) => match lambda(self.api(), Method::GET, path, None).await {
                    Ok(_) => Some(self.name_of(it)),
                    Err(error) if error.is_not_found() => None,
                    Err(error) => return Err(error),
                },
                // Its name is made from the stack's.
                None => None,
            },
        };
        match taken {
            None => Ok(known),
            Some(what) => Err(Error::Failed(format!(
                "{what} is there already and does not belong to this stack"
            ))),
        }
    }

    /// Whether a version that is recorded was there before it was published.
    pub(super) fn was_there(it: &Recorded, number: &str) -> bool {
        let after = it.attributes.get(AFTER).and_then(Value::as_u64);
        number.parse::<u64>().ok() <= after && after.is_some()
    }

    /// Numbers of versions of a function that a killed deploy has published for this.
    pub(super) async fn unheard_versions(&self, it: &Recorded) -> Result<Vec<String>, Error> {
        let (Some(after), Some(hash)) = (
            it.attributes.get(AFTER).and_then(Value::as_u64),
            it.attributes.get(CODE_HASH),
        ) else {
            return Ok(Vec::new());
        };
        let description = shape::text(&it.properties, "Description");
        let versions = self.versions(it).await?;
        let ours = versions.iter().filter(|version| {
            number(version) > after
                && version.get("CodeSha256") == Some(hash)
                // Without one of its own a version has its function's.
                && description.is_none_or(|text| version.get("Description") == Some(&json!(text)))
        });
        Ok(ours.map(|version| number(version).to_string()).collect())
    }

    /// The same of a layer, as ARNs.
    pub(super) async fn unheard_layers(&self, it: &Recorded) -> Result<Vec<String>, Error> {
        let Some(after) = it.attributes.get(AFTER).and_then(Value::as_u64) else {
            return Ok(Vec::new());
        };
        let hash = it.properties.get("Content").and_then(|c| c.get(ZIP));
        let hash = hash.and_then(Value::as_str).map(base64_of);
        let mut ours = Vec::new();
        for (number, arn) in self.layer_versions(it).await? {
            if number <= after {
                continue;
            }
            let path = format!(
                "/2018-10-31/layers?find=LayerVersion&Arn={}",
                wire::uri::encode(&arn)
            );
            let answer = lambda(self.api(), Method::GET, path, None).await?;
            let found = answer
                .pointer("/Content/CodeSha256")
                .and_then(Value::as_str);
            if hash.as_deref().is_none_or(|hash| found == Some(hash)) {
                ours.push(arn);
            }
        }
        Ok(ours)
    }

    async fn newest_version(&self, it: &Recorded) -> Result<(u64, Value), Error> {
        let versions = match self.versions(it).await {
            // To publish is then refused in better words.
            Err(error) if error.is_not_found() => Vec::new(),
            versions => versions?,
        };
        let newest = versions.iter().map(number).max().unwrap_or(0);
        let latest = versions.iter().find(|version| number(version) == 0);
        let code = latest.and_then(|version| version.get("CodeSha256"));
        Ok((newest, code.cloned().unwrap_or_default()))
    }

    async fn versions(&self, it: &Recorded) -> Result<Vec<Value>, Error> {
        let function = shape::in_path(shape::needed(&it.properties, "FunctionName")?);
        let path = format!("/2015-03-31/functions/{function}/versions");
        self.all(&path, "Versions").await
    }

    async fn layer_versions(&self, it: &Recorded) -> Result<Vec<(u64, String)>, Error> {
        let name = shape::in_path(&self.name_of(it));
        let path = format!("/2018-10-31/layers/{name}/versions");
        let versions = match self.all(&path, "LayerVersions").await {
            Err(error) if error.is_not_found() => Vec::new(),
            versions => versions?,
        };
        let pair = |version: &Value| {
            let number = version.get("Version").and_then(Value::as_u64)?;
            let arn = version.get("LayerVersionArn").and_then(Value::as_str)?;
            Some((number, arn.to_owned()))
        };
        Ok(versions.iter().filter_map(pair).collect())
    }

    /// All pages of a list.
    pub(super) async fn all(&self, path: &str, member: &str) -> Result<Vec<Value>, Error> {
        let mut found = Vec::new();
        let mut target = path.to_owned();
        loop {
            let mut answer = lambda(self.api(), Method::GET, target, None).await?;
            if let Some(Value::Array(items)) = answer.get_mut(member) {
                found.append(items);
            }
            match answer.get("NextMarker").and_then(Value::as_str) {
                Some(marker) => target = format!("{path}?Marker={}", wire::uri::encode(marker)),
                None => return Ok(found),
            }
        }
    }

    async fn iam_has(
        &self,
        action: &str,
        parameter: &str,
        name: &str,
    ) -> Result<Option<String>, Error> {
        match self.iam(action, &[(parameter, name)]).await {
            Ok(_) => Ok(Some(name.to_owned())),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn inline_policy_of_that_name(&self, it: &Recorded) -> Result<Option<String>, Error> {
        let name = self.name_of(it);
        for (action, key, owner) in owners(&it.properties, "Get", "Policy") {
            let parameters = [(key, owner.as_str()), ("PolicyName", &name)];
            match self.iam(&action, &parameters).await {
                Ok(_) => return Ok(Some(format!("the policy {name} of {owner}"))),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn log_group_of_that_name(&self, it: &Recorded) -> Result<Option<String>, Error> {
        let name = self.name_of(it);
        // The name itself is the first of all that begin with it.
        let body = json!({ "logGroupNamePrefix": name, "limit": 1 });
        let answer = self.logs("DescribeLogGroups", &body).await?;
        let first = answer.pointer("/logGroups/0/logGroupName");
        Ok((first == Some(&json!(name))).then_some(name))
    }

    /// The name that a resource has or will have.
    fn name_of(&self, it: &Recorded) -> String {
        let named_by = it.kind.schema().named_by;
        let given = named_by.and_then(|property| shape::text(&it.properties, property));
        given.unwrap_or(&it.name).to_owned()
    }

    /// Where Lambda tells of a resource whose name the template can choose.
    fn path_of(&self, it: &Recorded) -> Result<Option<String>, Error> {
        Ok(match it.kind {
            Type::Function => {
                let name = shape::in_path(&self.name_of(it));
                Some(format!("/2015-03-31/functions/{name}/configuration"))
            }
            Type::Alias => Some(super::alias::path_of(&it.properties)?),
            Type::Url => Some(super::url::path(&it.properties)?),
            Type::EventInvokeConfig => Some(super::invokes::path(&it.properties)?),
            _ => None,
        })
    }
}

/// A version's number; 0 of `$LATEST`.
fn number(version: &Value) -> u64 {
    let number = version.get("Version").and_then(Value::as_str);
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A hash in hexadecimal digits as Lambda writes it. Of what is no such digits it is empty, as no package's is.
fn base64_of(hex: &str) -> String {
    let bytes = HEXLOWER.decode(hex.as_bytes());
    STANDARD.encode(bytes.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_as_lambda_writes_it() {
        assert_eq!(base64_of("000102ff"), "AAEC/w==");
        assert_eq!(base64_of("no hash"), "");
    }
}
