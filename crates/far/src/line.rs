//! The caller's side: a connection to a role of one other process, made when it is needed and made again when it is
//! lost.
//!
//! ```text
//!   call ─▶ is there a connection, with the newest certificate? ─no─▶ one caller makes it, the others wait
//!                    │ yes
//!                    ▼ sent; from here on it may have been received
//! ```

mod connection;
mod lost;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tonic::client::Grpc;
use types::Role;

use connection::{Connection, connect};
pub(crate) use connection::{NotConnected, Sender};
pub(crate) use lost::{Known, known};

use crate::identity::Identity;

/// A line whose last connection could not be made is tried after others for this long.
const DOUBTED_FOR: Duration = Duration::from_secs(1);

/// A connection to one role at one address. Cheap to share: all clones are one.
#[derive(Clone)]
pub struct Line(Arc<Shared>);

struct Shared {
    role: Role,
    /// The host that it must be, if it is known.
    host: Option<String>,
    address: SocketAddr,
    identity: Identity,
    current: Mutex<Option<Connection>>,
    /// Held by who makes a connection.
    making: tokio::sync::Mutex<()>,
    /// How many connections could not be made, and when the last of them was given up.
    failures: AtomicU64,
    failed: Mutex<Option<Instant>>,
}

impl Line {
    /// Connects when the first call is made. The process there must prove that it has the role.
    pub fn new(role: Role, address: SocketAddr, identity: &Identity) -> Self {
        Self::to(role, None, address, identity)
    }

    /// See [`Line::new`]. The process there must also prove that it is on this host, so that none of another host can
    /// take its address.
    pub fn to_host(role: Role, host: &str, address: SocketAddr, identity: &Identity) -> Self {
        Self::to(role, Some(host.to_owned()), address, identity)
    }

    fn to(role: Role, host: Option<String>, address: SocketAddr, identity: &Identity) -> Self {
        Self(Arc::new(Shared {
            role,
            host,
            address,
            identity: identity.clone(),
            current: Mutex::default(),
            making: tokio::sync::Mutex::default(),
            failures: AtomicU64::new(0),
            failed: Mutex::default(),
        }))
    }

    /// Where it leads.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Whether its last connection could not be made, a moment ago.
    pub(crate) fn is_doubted(&self) -> bool {
        let failed = *locked(&self.0.failed);
        failed.is_some_and(|at| at.elapsed() < DOUBTED_FOR)
    }

    /// gRPC with the callee, in messages of at most `largest` bytes.
    pub(crate) async fn connected(
        &self,
        within: Duration,
        largest: usize,
    ) -> Result<Grpc<Sender>, NotConnected> {
        let connection = self.connection(within).await?;
        Ok(connection.grpc(self.0.role, largest))
    }

    /// A connection that is there, or a new one.
    async fn connection(&self, within: Duration) -> Result<Connection, NotConnected> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let failures = self.0.failures.load(Ordering::SeqCst);
        let made = timeout(within, async {
            let _making = self.0.making.lock().await;
            if let Some(current) = self.current() {
                return Ok(current);
            }
            // Who made it while this caller waited, could not.
            if self.0.failures.load(Ordering::SeqCst) != failures {
                return Err(NotConnected::JustTried);
            }
            let made = connect(self.0.role, self.0.address, &self.0.identity).await?;
            if self
                .0
                .host
                .as_ref()
                .is_some_and(|host| *host != made.callee().host)
            {
                return Err(NotConnected::OtherHost);
            }
            *locked(&self.0.current) = Some(made.clone());
            *locked(&self.0.failed) = None;
            Ok(made)
        });
        let made = made.await.unwrap_or(Err(NotConnected::TimedOut));
        if let Err(why) = &made {
            tracing::debug!(role = %self.0.role, address = %self.0.address, why = %why, "no connection");
            if !matches!(why, NotConnected::JustTried) {
                self.0.failures.fetch_add(1, Ordering::SeqCst);
                *locked(&self.0.failed) = Some(Instant::now());
            }
        }
        made
    }

    /// The connection that there is, if a call can begin on it.
    fn current(&self) -> Option<Connection> {
        let mut current = locked(&self.0.current);
        let usable = current.as_ref()?.is_usable(&self.0.identity);
        if !usable {
            *current = None;
        }
        current.clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
