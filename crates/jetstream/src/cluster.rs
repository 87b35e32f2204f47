//! The connection to a cluster of NATS servers, and the stores behind it.

use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use storage::Blobs;
use tokio::sync::OnceCell;
use types::{Clock, Random};

use crate::api::Api;
use crate::checks;
use crate::error::Failure;
use crate::registry::Registry;
use crate::{Error, Journals, Queues, Rows};

/// Who we are to a server.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// How it is known that servers write to the disk before they acknowledge.
#[derive(Clone)]
pub enum Sync {
    /// They are asked, by a user of their system account: an ordinary one cannot see it.
    Asked(Login),
    /// The operator says so, and has read what is lost otherwise.
    Stated,
}

/// Where a cluster is, and what it must be.
#[derive(Clone)]
pub struct Settings {
    /// Addresses of servers, as `nats://10.0.0.1:4222`; any one that answers will do.
    pub servers: Vec<String>,
    /// Who we are, if they ask.
    pub login: Option<Login>,
    /// Whether they write before they acknowledge.
    pub sync: Sync,
    /// What the names of our streams begin with: letters, digits, dashes.
    pub prefix: String,
    /// How many servers keep each stream.
    pub replicas: usize,
    /// How long a call is tried again while servers elect a leader, which takes some seconds.
    pub patience: Duration,
}

/// A cluster that is as it must be.
pub struct Cluster {
    pub(crate) api: Api,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    registry: OnceCell<Arc<Registry>>,
}

impl Cluster {
    /// Connects, and checks that what is acknowledged there is durable.
    pub async fn connect(
        settings: Settings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Error> {
        let client = connect(&settings, settings.login.as_ref()).await?;
        checks::check(&client, &settings).await?;
        let api = Api {
            client,
            random,
            patience: settings.patience,
        };
        Ok(Self {
            api,
            settings,
            clock,
            registry: OnceCell::new(),
        })
    }

    /// The table of this name.
    pub async fn rows(&self, name: &str) -> Result<Rows, Error> {
        Ok(self.open_rows(name).await?)
    }

    /// The journals.
    pub async fn journals(&self) -> Result<Journals, Error> {
        let registry = self.registry().await?;
        let (api, settings) = (self.api.clone(), &self.settings);
        let (prefix, replicas) = (&settings.prefix, settings.replicas);
        Ok(Journals::new(api, prefix, replicas, registry))
    }

    /// The queues; what is too large for them is kept in `blobs`.
    pub async fn queues(&self, blobs: Arc<dyn Blobs>) -> Result<Queues, Error> {
        let registry = self.registry().await?;
        let (api, settings) = (self.api.clone(), &self.settings);
        let names = (settings.prefix.as_str(), settings.replicas);
        let clock = Arc::clone(&self.clock);
        Ok(Queues::new(api, names, registry, blobs, clock))
    }

    async fn open_rows(&self, name: &str) -> Result<Rows, Failure> {
        let bucket = format!("{}-{name}", self.settings.prefix);
        Rows::open(&self.api, &bucket, self.settings.replicas).await
    }

    async fn registry(&self) -> Result<Arc<Registry>, Error> {
        let open = async || {
            self.open_rows("streams")
                .await
                .map(Registry::new)
                .map(Arc::new)
        };
        Ok(Arc::clone(self.registry.get_or_try_init(open).await?))
    }
}

/// A connection that is made again whenever it is lost.
pub(crate) async fn connect(
    settings: &Settings,
    login: Option<&Login>,
) -> Result<async_nats::Client, Error> {
    let mut options = ConnectOptions::new()
        .name("lambent")
        .connection_timeout(Duration::from_secs(5))
        .ping_interval(Duration::from_secs(5))
        .reconnect_delay_callback(|attempts| match attempts {
            0..=2 => Duration::ZERO,
            _ => Duration::from_millis(250),
        });
    if let Some(login) = login {
        options = options.user_and_password(login.user.clone(), login.password.clone());
    }
    let connected = options.connect(settings.servers.as_slice()).await;
    connected.map_err(|error| Error::Connect {
        servers: settings.servers.join(", "),
        source: Box::new(error),
    })
}
