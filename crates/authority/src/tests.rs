//! A cluster's authority over a table in memory.

mod joining;
mod registrar;
mod renewing;

use std::sync::Arc;
use std::time::Duration;

use api::Secret;
use api::enrolment::Holder;
use far::Identity;
use keyring::Keyring;
use storage::memory::MemoryTable;
use types::{Clock, ManualClock, Role, SystemClock, SystemRandom};

use crate::{Authority, Files, Registrar, SigningKey};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// A cluster, and when it is.
struct Cluster {
    table: Arc<MemoryTable>,
    clock: Arc<ManualClock>,
    authority: Authority,
    registrar: Arc<Registrar>,
}

impl Cluster {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let table = Arc::new(MemoryTable::default());
        let authority = Authority::new(clock.now(), &SystemRandom).unwrap();
        let registrar = registrar(&table, [7; 32], &clock);
        assert!(registrar.found(&authority).await.unwrap());
        Self {
            table,
            clock,
            authority,
            registrar: Arc::new(registrar),
        }
    }

    /// Lets a host in.
    async fn host(&self, name: &str, roles: &[Role]) -> Files {
        let token = self.registrar.token(address(), holder(name, roles), HOUR);
        let secret = token.await.unwrap().secret;
        self.admitted(&secret).await.unwrap()
    }

    async fn admitted(&self, secret: &Secret) -> Result<Files, crate::Error> {
        let key = SigningKey::new().unwrap();
        let request = key.request().unwrap();
        let (_, issued) = self.registrar.admit(secret, &request).await?;
        Ok(Files {
            authorities: issued.authorities,
            certificate: issued.certificate,
            key: key.to_pem(),
        })
    }
}

fn registrar(table: &Arc<MemoryTable>, master: [u8; 32], clock: &Arc<ManualClock>) -> Registrar {
    let keyring = Arc::new(Keyring::from_bytes(master));
    Registrar::new(
        table.clone(),
        &keyring,
        clock.clone(),
        Arc::new(SystemRandom),
    )
}

fn address() -> String {
    "127.0.0.1:9103".to_owned()
}

fn holder(host: &str, roles: &[Role]) -> Holder {
    Holder {
        host: host.to_owned(),
        zone: "a".to_owned(),
        roles: roles.iter().copied().collect(),
    }
}

/// As another process sees who has these files.
fn identity(files: &Files) -> Identity {
    Identity::from_pem(&files.authorities, &files.certificate, &files.key).unwrap()
}
