//! What a process is: the whole system, or some roles of a cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use far::{Identity, Peer};
use types::Role;

use crate::config::Cluster;

/// See the module.
#[derive(Clone)]
pub(super) struct What {
    pub(super) roles: BTreeSet<Role>,
    /// Who it is to the others; `None` if there are no others.
    pub(super) member: Option<Credentials>,
}

/// How a process of a cluster proves what it is.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) identity: Identity,
    /// What the certificate says.
    pub(super) peer: Arc<Peer>,
}

impl What {
    /// All roles.
    pub(super) fn whole() -> Self {
        Self {
            roles: Role::ALL.into(),
            member: None,
        }
    }

    /// A process of a cluster with the roles that are `given`, else those of the configuration. `zone` is where an
    /// operator believes it to be.
    pub(super) fn part(
        config: &Cluster,
        given: &[String],
        zone: Option<&str>,
    ) -> anyhow::Result<Self> {
        let named = match given {
            [] => &config.roles,
            given => given,
        };
        let roles = named
            .iter()
            .map(|name| name.parse().with_context(|| format!("role {name:?}")));
        let roles: BTreeSet<Role> = roles.collect::<anyhow::Result<_>>()?;
        if roles.is_empty() {
            bail!("no roles: give --roles, or set cluster.roles");
        }
        let identity = identity(config)?;
        let peer = identity.own();
        if let Some(missing) = roles.iter().find(|role| !peer.roles.contains(role)) {
            bail!(
                "the certificate in {} does not allow this host the role {missing}",
                config.directory.display()
            );
        }
        if let Some(zone) = zone.filter(|zone| *zone != peer.zone) {
            bail!(
                "the certificate in {} says that this host is in zone {}, not in {zone}",
                config.directory.display(),
                peer.zone
            );
        }
        let member = Some(Credentials { identity, peer });
        Ok(Self { roles, member })
    }

    /// The host it runs on: as its certificate says, or as the kernel does.
    pub(super) fn host(&self) -> String {
        match &self.member {
            Some(member) => member.peer.host.clone(),
            None => {
                let name = rustix::system::uname();
                name.nodename().to_string_lossy().into_owned()
            }
        }
    }

    pub(super) fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether it has any of them.
    pub(super) fn has_any(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.has(*role))
    }

    /// Whether it may read and write what all roles but workers share.
    pub(super) fn needs_shared(&self) -> bool {
        self.roles.iter().any(|role| *role != Role::Worker)
    }
}

fn identity(config: &Cluster) -> anyhow::Result<Identity> {
    let read = |name: &str| {
        let path = config.directory.join(name);
        let text = std::fs::read_to_string(&path);
        text.with_context(|| format!("{} cannot be read", path.display()))
    };
    let identity = Identity::from_pem(
        &read("authority.pem")?,
        &read("host.pem")?,
        &read("host.key")?,
    );
    identity.with_context(|| format!("the certificate in {}", config.directory.display()))
}
