//! Authentication: all access keys, and IAM and STS.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use api::Secret;
use authn::Authenticator;
use identity::{Dependencies, Keys, RootKey, Service};
use tokio::task::JoinSet;
use types::Random;

use super::Common;
use crate::config::{Config, UnknownRoles};
use crate::data_dir;

/// What authenticates requests.
pub(super) struct Keyring {
    pub(super) keys: Arc<Keys>,
    pub(super) master: Arc<keyring::Keyring>,
    pub(super) authenticator: Arc<Authenticator>,
}

/// The installation's keys, and those that are in the table.
pub(super) fn keyring(common: &Common<'_>, secrets: &Path) -> anyhow::Result<Keyring> {
    let (config, random) = (common.config, common.random.as_ref());
    let master = keyring::Keyring::open(&secrets.join("secret"), random);
    let master = Arc::new(master.context("secret cannot be used")?);
    let unknown_roles = identity::UnknownRoles {
        accepted: config.functions.unknown_roles == UnknownRoles::Accept,
        actions: config.functions.role_actions.clone(),
    };
    let keys = Keys::new(
        root_keys(config, secrets, random)?,
        &unknown_roles,
        &master,
        Arc::clone(&common.stores.shared().table),
        Arc::clone(&common.clock),
        Arc::clone(&common.random),
    );
    let keys = keys.context("functions.role_actions")?;
    let keys = Arc::new(keys.with_operator_key(config.operator_key()));
    let authenticator = Authenticator::new(keys.clone(), Arc::clone(&common.clock));
    Ok(Keyring {
        keys,
        master,
        authenticator: Arc::new(authenticator),
    })
}

/// Writes down when keys are used here.
pub(super) fn note_uses(common: &Common<'_>, keyring: &Keyring, background: &mut JoinSet<()>) {
    background.spawn(service(common, keyring).key_uses().run());
}

/// IAM and STS.
pub(super) fn create(
    common: &Common<'_>,
    keyring: &Keyring,
    background: &mut JoinSet<()>,
) -> Service {
    let service = service(common, keyring);
    background.spawn(service.resealing().run());
    service
}

fn service(common: &Common<'_>, keyring: &Keyring) -> Service {
    Service::new(Dependencies {
        table: Arc::clone(&common.stores.shared().callers_table),
        identities: keyring.keys.clone(),
        authenticator: Arc::clone(&keyring.authenticator),
        keyring: Arc::clone(&keyring.master),
        clock: Arc::clone(&common.clock),
        random: Arc::clone(&common.random),
    })
}

/// The key of the installation, and those of the configuration.
fn root_keys(config: &Config, secrets: &Path, random: &dyn Random) -> anyhow::Result<Vec<RootKey>> {
    let first = data_dir::root_key(secrets, &config.account.region, random)?;
    let mut keys = vec![RootKey {
        access_key_id: first.id,
        secret: Secret::new(first.secret),
        account: config.account.id.clone(),
    }];
    keys.extend(config.access_keys.iter().map(|key| RootKey {
        access_key_id: key.id.clone(),
        secret: Secret::new(key.secret.clone()),
        account: key.account.clone(),
    }));
    Ok(keys)
}
