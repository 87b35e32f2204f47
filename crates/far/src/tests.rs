//! Two ends over loopback, with certificates of a cluster's authority.

mod callers;
mod calls;
mod messages;
mod nothing;
mod refusals;
mod reload;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;

use api::enrolment::Holder;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use nothing::everything;

use crate::{Identity, Line, Served};
use types::Role;

/// A cluster's authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A certificate for a process with these roles.
    fn certify(&self, roles: &[Role]) -> Identity {
        self.certify_until(roles, 4096)
    }

    fn certify_until(&self, roles: &[Role], year: i32) -> Identity {
        self.certify_trusting(roles, year, self)
    }

    /// A certificate of ours, for a process that trusts others.
    fn certify_trusting(&self, roles: &[Role], year: i32, trusted: &Self) -> Identity {
        let (certificate, key) = self.pem(roles, year);
        Identity::from_pem(&trusted.0.pem(), &certificate, &key).unwrap()
    }

    /// A certificate and its key.
    fn pem(&self, roles: &[Role], year: i32) -> (String, String) {
        let holder = Holder {
            host: "h1".to_owned(),
            zone: "a".to_owned(),
            roles: roles.iter().copied().collect(),
        };
        let names = holder.dns_names();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A process that serves, until it is dropped.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(served: Served, identity: Identity) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), served, identity).await
    }

    async fn start_at(address: SocketAddr, served: Served, identity: Identity) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move { served.serve(listener, &identity, stopped).await });
        Self {
            address,
            stop,
            task,
        }
    }

    fn line(&self, role: Role, identity: &Identity) -> Line {
        Line::new(role, self.address, identity)
    }

    /// Ends it as a kill does: no call is finished.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}
