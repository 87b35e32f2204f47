//! Live resources: creates, updates and deletes them through the API.
//!
//! One file for each family of types. Every operation may come twice, after a deploy that was
//! killed: making what is there already is an error, deleting what is not is none. What has an id of
//! the server's is deleted by what was known before it was made: see [`intent`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;

use crate::api::{Api, Error};
use crate::desired::Identity;
use crate::packages::Packages;
use crate::record::{Properties, Recorded};
use crate::resource::Type;

mod alias;
mod code;
mod event_source;
mod function;
mod iam;
mod intent;
mod invokes;
mod layer;
mod logs;
mod permission;
mod role;
mod shape;
mod signing;
mod tags;
mod url;
mod version;
mod wait;

/// What a resource is called from now on.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Made {
    /// What `Ref` is.
    pub id: String,
    /// What `Fn::GetAtt` is.
    pub attributes: BTreeMap<String, Value>,
}

impl Made {
    fn new<const N: usize>(id: &str, attributes: [(&str, &str); N]) -> Self {
        let attributes = attributes.map(|(name, value)| (name.to_owned(), Value::from(value)));
        Self {
            id: id.to_owned(),
            attributes: BTreeMap::from(attributes),
        }
    }
}

/// Makes, changes and deletes resources.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Looks, before it is written down that `resource` will be made: that somebody else has what it
    /// describes is an error. Gives what tells later what was made of it, as attributes.
    async fn intend(&self, resource: &Recorded) -> Result<BTreeMap<String, Value>, Error>;
    /// Makes what `resource` describes; it has properties and a name, and no id yet.
    async fn create(&self, resource: &Recorded) -> Result<Made, Error>;
    /// Changes what is there to what `properties` say.
    async fn update(&self, before: &Recorded, properties: &Properties) -> Result<Made, Error>;
    /// Deletes it. It may be gone, or never have been made.
    async fn delete(&self, resource: &Recorded) -> Result<(), Error>;
}

/// The provider that speaks to a server.
pub struct Live {
    api: Arc<dyn Api>,
    identity: Identity,
    packages: Arc<Mutex<Packages>>,
}

impl Live {
    /// For resources of a stack.
    pub fn new(api: Arc<dyn Api>, identity: Identity, packages: Arc<Mutex<Packages>>) -> Self {
        Self {
            api,
            identity,
            packages,
        }
    }

    fn api(&self) -> &dyn Api {
        self.api.as_ref()
    }
}

#[async_trait]
impl Provider for Live {
    async fn intend(&self, it: &Recorded) -> Result<BTreeMap<String, Value>, Error> {
        self.look_before(it).await
    }

    async fn create(&self, it: &Recorded) -> Result<Made, Error> {
        match it.kind {
            Type::Function => self.create_function(it).await,
            Type::Version => self.publish_version(it).await,
            Type::Alias => self.create_alias(it).await,
            Type::LayerVersion => self.publish_layer(it).await,
            Type::LayerVersionPermission => self.allow_layer(it).await,
            Type::Permission => self.add_permission(it).await,
            Type::Url => self.create_url(it).await,
            Type::EventSourceMapping => self.create_mapping(it).await,
            Type::EventInvokeConfig => self.put_invoke_config(&it.properties).await,
            Type::CodeSigningConfig => self.create_signing(it).await,
            Type::Role => self.create_role(it).await,
            Type::Policy => self.put_policy(&it.name, &it.properties).await,
            Type::ManagedPolicy => self.create_managed_policy(it).await,
            Type::LogGroup => self.create_log_group(it).await,
        }
    }

    async fn update(&self, before: &Recorded, to: &Properties) -> Result<Made, Error> {
        match before.kind {
            Type::Function => self.update_function(before, to).await,
            Type::Version => self.update_version(before, to).await,
            Type::Alias => self.update_alias(before, to).await,
            Type::Url => self.update_url(before, to).await,
            Type::EventSourceMapping => self.update_mapping(before, to).await,
            Type::EventInvokeConfig => self.put_invoke_config(to).await,
            Type::CodeSigningConfig => self.update_signing(before, to).await,
            Type::Role => self.update_role(before, to).await,
            Type::Policy => self.update_policy(before, to).await,
            Type::ManagedPolicy => self.update_managed_policy(before, to).await,
            Type::LogGroup => self.update_log_group(before, to).await,
            Type::LayerVersion | Type::LayerVersionPermission | Type::Permission => {
                Err(Error::Failed(format!("{} never changes", before.kind)))
            }
        }
    }

    async fn delete(&self, it: &Recorded) -> Result<(), Error> {
        let outcome = match it.kind {
            Type::Function => self.delete_function(it).await,
            Type::Version => self.delete_version(it).await,
            Type::Alias => self.delete_alias(it).await,
            Type::LayerVersion => self.delete_layer(it).await,
            Type::LayerVersionPermission => self.forbid_layer(it).await,
            Type::Permission => self.remove_permission(it).await,
            Type::Url => self.delete_url(it).await,
            Type::EventSourceMapping => self.delete_mapping(it).await,
            Type::EventInvokeConfig => self.delete_invoke_config(it).await,
            Type::CodeSigningConfig => self.delete_signing(it).await,
            Type::Role => self.delete_role(it).await,
            Type::Policy => self.delete_policy(it).await,
            Type::ManagedPolicy => self.delete_managed_policy(it).await,
            Type::LogGroup => self.delete_log_group(it).await,
        };
        match outcome {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome,
        }
    }
}
