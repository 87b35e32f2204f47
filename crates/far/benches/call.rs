//! A call to counting over mutual TLS on loopback, compared with the same call in the process.
//!
//! `cargo bench -p far`. Prints p50, p99 and calls a second for one caller and for sixteen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::counting::{Acquire, Counting, Error, Permit};
use api::enrolment::dns_name;
use async_trait::async_trait;
use far::{Far, Identity, Line, Served};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use records::examples;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::Role;
use types::{FunctionName, PermitId, Scope, SystemRandom, Version};

const LASTS: Duration = Duration::from_secs(2);

/// Grants everything.
struct Generous;

#[async_trait]
impl Counting for Generous {
    async fn acquire(&self, request: Acquire) -> Result<Permit, Error> {
        Ok(Permit {
            id: request.permit,
            provisioned: false,
        })
    }

    async fn release(&self, _: Scope, _: Vec<PermitId>) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    let near: Arc<dyn Counting> = Arc::new(Generous);
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let certify = |role: Role| {
        let params = CertificateParams::new(vec![dns_name(role)]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let own = params.signed_by(&key, &authority).expect("a certificate");
        Identity::from_pem(&authority.pem(), &own.pem(), &key.serialize_pem()).expect("an identity")
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let mut served = Served::default();
    served.counting(Arc::clone(&near));
    let own = certify(Role::Counting);
    tokio::spawn(async move { served.serve(listener, &own, CancellationToken::new()).await });
    let line = Line::new(Role::Counting, address, &certify(Role::Frontend));
    let far: Arc<dyn Counting> = Arc::new(Far::<dyn Counting>::new(line));
    for callers in [1, 16] {
        let there = measure(&near, callers).await;
        let away = measure(&far, callers).await;
        println!(
            "{callers:>2} callers: in process {:>9.0} calls/s; over TLS {:>6.0} calls/s, p50 {:?}, p99 {:?}; ratio {:.4}",
            there.0,
            away.0,
            away.1,
            away.2,
            away.0 / there.0,
        );
    }
}

/// Calls a second, and how long the middle and the 99th of a hundred take.
async fn measure(counting: &Arc<dyn Counting>, callers: usize) -> (f64, Duration, Duration) {
    let began = Instant::now();
    let mut all: JoinSet<Vec<Duration>> = JoinSet::new();
    for _ in 0..callers {
        let counting = Arc::clone(counting);
        all.spawn(async move {
            let request = request();
            let mut took = Vec::new();
            while began.elapsed() < LASTS {
                let call = Instant::now();
                let granted = counting.acquire(request.clone()).await;
                granted.expect("everything is granted");
                took.push(call.elapsed());
                if took.len() % 64 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            took
        });
    }
    let mut took = all.join_all().await.concat();
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    (rate, at(50), at(99))
}

fn request() -> Acquire {
    Acquire {
        permit: PermitId::random(&SystemRandom),
        scope: examples::scope(),
        function: FunctionName::new("f").expect("a name"),
        version: Version::Latest,
        provisioned: 0,
        provisioned_total: 0,
        reserved: None,
        account_limit: 1_000,
        reserved_total: 0,
        lasts_ms: 3_000,
        returned: Vec::new(),
    }
}
