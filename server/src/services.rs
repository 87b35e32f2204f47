//! Other AWS services, as the configuration names them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use api::Secret;
use authn::operator_key::OperatorKey;
use aws::{Endpoint, Keys};
use types::AccountId;

use crate::config::{Aws, Config};

impl Aws {
    /// Where a service is; `None` if it is not to be called.
    pub(crate) fn endpoint(&self, service: &str) -> anyhow::Result<Option<Endpoint>> {
        let url = self.services.get(service).unwrap_or(&self.endpoint_url);
        parse(url).with_context(|| format!("aws.services.{service}"))
    }

    /// Where all services are that are not named, and those that are.
    pub(crate) fn endpoints(&self) -> anyhow::Result<event_invoke::Endpoints> {
        let mut services = BTreeMap::new();
        for (service, url) in &self.services {
            let endpoint = parse(url).with_context(|| format!("aws.services.{service}"))?;
            services.extend(endpoint.map(|endpoint| (service.clone(), endpoint)));
        }
        let all = parse(&self.endpoint_url).context("aws.endpoint_url")?;
        Ok(event_invoke::Endpoints { all, services })
    }

    /// What calls are signed with, if the configuration says.
    pub(crate) fn keys(&self) -> Option<Keys> {
        let id = &self.keys.access_key_id;
        (!id.is_empty()).then(|| Keys {
            access_key_id: id.clone(),
            secret: Secret::new(self.keys.secret_access_key.clone()),
            session_token: None,
        })
    }
}

impl Config {
    /// On whose behalf the key for other services may be used, if there is one.
    pub(crate) fn operator_key(&self) -> Option<Arc<OperatorKey>> {
        self.aws.keys()?;
        let keys = self.access_keys.iter().map(|key| &key.account);
        let accounts: BTreeSet<&AccountId> = keys.chain([&self.account.id]).collect();
        let only = accounts.first().filter(|_| accounts.len() == 1);
        Some(Arc::new(OperatorKey {
            shared_accounts: self.aws.shared_accounts.clone(),
            buckets: self.aws.buckets.clone(),
            only_account: only.map(|account| (*account).clone()),
        }))
    }
}

fn parse(url: &str) -> anyhow::Result<Option<Endpoint>> {
    let url = Some(url).filter(|url| !url.is_empty());
    Ok(url.map(Endpoint::parse).transpose()?)
}
