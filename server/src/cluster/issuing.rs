//! What a process does for the certificates of its cluster: renews its host's own; with the role control it also issues,
//! and lets hosts join.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::enrolment::{Enrolment, Holder};
use authority::{Authority, Facts, Files, Folder, Joining, Registrar, Renewing};
use far::Identity;
use keyring::Keyring;
use storage::Table;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use types::{Clock, Random};

use super::folder::AUTHORITY_KEY;
use super::handout::welcome;
use crate::config::Config;

/// How often what has expired is removed.
const CLEAN_EVERY: Duration = Duration::from_secs(3_600);

/// What a process needs for it.
pub(crate) struct Own<'a> {
    pub(crate) config: &'a Config,
    pub(crate) identity: &'a Identity,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) random: &'a Arc<dyn Random>,
}

/// Who issues.
pub(crate) enum Others<'a> {
    /// This process, with the role control: over the table in which the cluster's members are.
    Here {
        table: Arc<dyn Table>,
        keyring: &'a Arc<Keyring>,
    },
    /// Others.
    There(Arc<dyn Enrolment>),
}

/// Begins with it. Returns what is to be served to other processes, if this one issues.
pub(crate) async fn begin(
    own: Own<'_>,
    others: Others<'_>,
    background: &mut JoinSet<()>,
) -> anyhow::Result<Option<Arc<dyn Enrolment>>> {
    let directory = &own.config.cluster.directory;
    let folder = Folder::at(directory);
    let peer = own.identity.own();
    let holder = Holder {
        host: peer.host.clone(),
        zone: peer.zone.clone(),
        roles: peer.roles.iter().copied().collect(),
    };
    let (enrolment, issues) = match others {
        Others::There(enrolment) => (enrolment, None),
        Others::Here { table, keyring } => {
            let (clock, random) = (Arc::clone(own.clock), Arc::clone(own.random));
            let registrar = Arc::new(Registrar::new(table, keyring, clock, random));
            take_over(&registrar, directory).await?;
            let files = folder.read()?;
            if let Some(facts) = Facts::of_pem(&files.certificate) {
                let recorded = registrar.record(&holder, &facts).await;
                recorded.context("this host's certificate cannot be recorded")?;
            }
            background.spawn(clean(Arc::clone(&registrar)));
            let_join(own.config, &registrar, &folder, background).await?;
            let enrolment = registrar as Arc<dyn Enrolment>;
            (Arc::clone(&enrolment), Some(enrolment))
        }
    };
    let identity = own.identity.clone();
    let adopt = move |files: &Files| {
        let replaced = identity.replace(&files.authorities, &files.certificate, &files.key);
        replaced.map_err(Into::into)
    };
    let chance = (Arc::clone(own.clock), own.random.as_ref());
    let renewing = Renewing::new(folder, holder, enrolment, Box::new(adopt), chance);
    background.spawn(renewing.context("this host's certificate")?.run());
    Ok(issues)
}

/// Seals the authority's key into the table, if it is here still.
async fn take_over(registrar: &Registrar, directory: &Path) -> anyhow::Result<()> {
    let path = directory.join(AUTHORITY_KEY);
    let key = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.with_context(|| format!("{} cannot be read", path.display()))?,
    };
    let certificate = Folder::at(directory).read()?.authorities;
    let authority = Authority::from_pem(&certificate, &key).context(AUTHORITY_KEY)?;
    if registrar.found(&authority).await? {
        fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        tracing::info!("the cluster's authority is in its table, sealed by the master key");
    } else {
        tracing::warn!(
            path = %path.display(),
            "the cluster has another authority already: this key is not used, and processes with its certificates are \
             refused"
        );
    }
    Ok(())
}

async fn clean(registrar: Arc<Registrar>) {
    let mut every = tokio::time::interval(CLEAN_EVERY);
    loop {
        every.tick().await;
        if let Err(error) = registrar.clean().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "certificates that have expired are not removed; it is tried again"
            );
        }
    }
}

async fn let_join(
    config: &Config,
    registrar: &Arc<Registrar>,
    folder: &Folder,
    background: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    if config.cluster.join.is_empty() {
        return Ok(());
    }
    let listener = TcpListener::bind(&config.cluster.join)
        .await
        .context("cluster.join")?;
    tracing::info!(address = config.cluster.join, "hosts with a token can join");
    let config = config.clone();
    let handout = move |holder: &Holder| welcome(&config, holder).map_err(Into::into);
    let joining = Joining::new(Arc::clone(registrar), folder.clone(), Arc::new(handout));
    background.spawn(joining.serve(listener));
    Ok(())
}
