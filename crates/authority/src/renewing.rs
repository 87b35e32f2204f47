//! Renews a host's certificate at two thirds of its lifetime, for as long as a process runs.
//!
//! The processes of a host share its files. Each looks into them first when it is time: what another has renewed is used.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use api::enrolment::{self, Enrolment, Holder, Renew};
use types::{Clock, Random};

use crate::authority::IssueError;
use crate::facts::Facts;
use crate::folder::{Files, Folder};
use crate::request::SigningKey;

/// After which part of its lifetime a certificate is renewed, at the latest, and how much earlier by chance: not all
/// hosts that joined together ask together.
const DUE_AFTER: f64 = 2.0 / 3.0;
const CHANCE: f64 = 0.1;
/// Between two tries: this part of a lifetime, but no longer than an hour.
const TRIES: u32 = 200;
const TRY_AGAIN_MAX: Duration = Duration::from_secs(3_600);
const TRY_AGAIN_MIN: Duration = Duration::from_millis(100);

/// Uses these files from now on.
type Adopt =
    Box<dyn Fn(&Files) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + Sync>;

/// See the module.
pub struct Renewing {
    folder: Folder,
    holder: Holder,
    enrolment: Arc<dyn Enrolment>,
    adopt: Adopt,
    clock: Arc<dyn Clock>,
    files: Files,
    facts: Facts,
    /// Which part of its lifetime a certificate is used.
    used_for: f64,
}

/// Why a certificate was not renewed this time.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the files cannot be read or written")]
    Files(#[from] io::Error),
    #[error("{0}")]
    Refused(#[from] enrolment::Error),
    #[error("the host's key cannot be used")]
    Key(#[from] IssueError),
    #[error("what is in host.pem is no certificate")]
    NoCertificate,
    #[error("the certificate cannot be used")]
    Unusable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Renewing {
    /// Of the certificate in a folder, which the process uses already and which says that it is `holder`. `adopt` has it
    /// use another.
    pub fn new(
        folder: Folder,
        holder: Holder,
        enrolment: Arc<dyn Enrolment>,
        adopt: Adopt,
        (clock, random): (Arc<dyn Clock>, &dyn Random),
    ) -> io::Result<Self> {
        let files = folder.read()?;
        let facts = Facts::of_pem(&files.certificate);
        let facts = facts.ok_or_else(|| io::Error::other(Error::NoCertificate.to_string()))?;
        Ok(Self {
            folder,
            holder,
            enrolment,
            adopt,
            clock,
            files,
            facts,
            used_for: DUE_AFTER - CHANCE * random.next_fraction(),
        })
    }

    /// Works until the future is dropped.
    pub async fn run(mut self) {
        loop {
            let wait = self.step().await;
            tokio::time::sleep(wait).await;
        }
    }

    /// Renews the certificate if it is time. Returns how long nothing is to be done.
    pub(crate) async fn step(&mut self) -> Duration {
        if let Some(wait) = self.wait() {
            return wait;
        }
        let renewed = self.renew().await;
        if let Err(error) = renewed {
            let left = self.lifetime().saturating_sub(self.age());
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                days_left = left.as_secs() / 86_400,
                "this host's certificate cannot be renewed; it is tried again"
            );
            return (self.lifetime() / TRIES).clamp(TRY_AGAIN_MIN, TRY_AGAIN_MAX);
        }
        tracing::info!(
            serial = self.facts.serial,
            "this host's certificate has been renewed"
        );
        self.wait().unwrap_or(TRY_AGAIN_MAX)
    }

    async fn renew(&mut self) -> Result<(), Error> {
        let there = self.folder.read()?;
        let facts = Facts::of_pem(&there.certificate).ok_or(Error::NoCertificate)?;
        if facts.until > self.facts.until {
            return self.adopt(there, facts);
        }
        let request = Renew {
            holder: self.holder.clone(),
            serial: self.facts.serial.clone(),
            request: SigningKey::from_pem(&self.files.key)?.request()?,
        };
        let issued = self.enrolment.renew(request).await?;
        let facts = Facts::of_pem(&issued.certificate).ok_or(Error::NoCertificate)?;
        let next = Files {
            certificate: issued.certificate,
            authorities: issued.authorities,
            key: self.files.key.clone(),
        };
        self.adopt(next, facts)?;
        self.folder
            .renew(&self.files.certificate, &self.files.authorities)?;
        Ok(())
    }

    fn adopt(&mut self, files: Files, facts: Facts) -> Result<(), Error> {
        (self.adopt)(&files).map_err(Error::Unusable)?;
        (self.files, self.facts) = (files, facts);
        Ok(())
    }

    /// How long the present certificate is used; `None` if it is time for the next.
    fn wait(&self) -> Option<Duration> {
        // In milliseconds, as the clock has it.
        let due = self.lifetime().as_millis() as f64 * self.used_for;
        let wait = Duration::from_millis(due as u64).saturating_sub(self.age());
        (!wait.is_zero()).then_some(wait)
    }

    fn lifetime(&self) -> Duration {
        let (from, until) = (self.facts.from.as_millis(), self.facts.until.as_millis());
        Duration::from_millis(until.saturating_sub(from))
    }

    fn age(&self) -> Duration {
        let (from, now) = (self.facts.from.as_millis(), self.clock.now().as_millis());
        Duration::from_millis(now.saturating_sub(from))
    }
}
