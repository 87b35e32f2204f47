//! Certificates with short lives, on a clock of their own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::enrolment::{self, Enrolment, Issued, Renew};
use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::{Facts, Folder, Renewing};

/// The cluster's registrar, which can be away.
struct Away {
    registrar: Arc<Registrar>,
    away: Mutex<bool>,
    asked: AtomicUsize,
}

#[async_trait]
impl Enrolment for Away {
    async fn renew(&self, request: Renew) -> Result<Issued, enrolment::Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if *self.away.lock().unwrap() {
            return Err(enrolment::Error::Unavailable);
        }
        self.registrar.renew(request).await
    }
}

struct Host {
    cluster: Cluster,
    enrolment: Arc<Away>,
    around: TempDir,
}

impl Host {
    async fn new() -> Self {
        let cluster = Cluster::new().await;
        let enrolment = Arc::new(Away {
            registrar: Arc::clone(&cluster.registrar),
            away: Mutex::default(),
            asked: AtomicUsize::new(0),
        });
        let around = tempfile::tempdir().unwrap();
        let files = cluster.host("h1", &[Role::Worker]).await;
        Folder::at(around.path()).write(&files).unwrap();
        Self {
            cluster,
            enrolment,
            around,
        }
    }

    fn folder(&self) -> Folder {
        Folder::at(self.around.path())
    }

    /// A process on it.
    fn process(&self) -> (Identity, Renewing) {
        let used = identity(&self.folder().read().unwrap());
        let adopting = used.clone();
        let adopt = move |files: &Files| {
            let replaced = adopting.replace(&files.authorities, &files.certificate, &files.key);
            replaced.map_err(Into::into)
        };
        let clock: Arc<dyn Clock> = self.cluster.clock.clone();
        let renewing = Renewing::new(
            self.folder(),
            holder("h1", &[Role::Worker]),
            Arc::clone(&self.enrolment) as Arc<dyn Enrolment>,
            Box::new(adopt),
            (clock, &SystemRandom),
        );
        (used, renewing.unwrap())
    }

    fn serial(&self) -> String {
        let files = self.folder().read().unwrap();
        Facts::of_pem(&files.certificate).unwrap().serial
    }

    fn asked(&self) -> usize {
        self.enrolment.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
    let host = Host::new().await;
    let (used, mut renewing) = host.process();
    for _ in 0..3 {
        let before = host.serial();
        let wait = renewing.step().await;
        assert!(wait <= 20 * DAY && wait >= 16 * DAY, "{wait:?}");
        assert_eq!(host.serial(), before);
        host.cluster.clock.advance(wait);
        renewing.step().await;
        assert_ne!(host.serial(), before);
        assert_eq!(used.own().serial, host.serial());
    }
    assert_eq!(host.asked(), 3);
    // Nothing half-written is left.
    assert_eq!(std::fs::read_dir(host.around.path()).unwrap().count(), 3);
}

#[tokio::test]
async fn while_the_authority_is_away_it_is_tried_again() {
    let host = Host::new().await;
    let (used, mut renewing) = host.process();
    let before = host.serial();
    *host.enrolment.away.lock().unwrap() = true;
    host.cluster.clock.advance(21 * DAY);
    for _ in 0..3 {
        assert_eq!(renewing.step().await, HOUR);
    }
    assert_eq!((host.serial(), host.asked()), (before.clone(), 3));
    *host.enrolment.away.lock().unwrap() = false;
    renewing.step().await;
    assert_ne!(host.serial(), before);
    assert_eq!(used.own().serial, host.serial());
}

#[tokio::test]
async fn processes_of_a_host_use_what_one_of_them_has_renewed() {
    let host = Host::new().await;
    let (one, mut first) = host.process();
    let (other, mut second) = host.process();
    host.cluster.clock.advance(21 * DAY);
    first.step().await;
    second.step().await;
    assert_eq!(host.asked(), 1);
    assert_eq!(one.own().serial, other.own().serial);
}

#[tokio::test]
async fn a_revoked_host_gets_no_other_certificate() {
    let host = Host::new().await;
    let (_, mut renewing) = host.process();
    let before = host.serial();
    host.cluster.registrar.revoke_host("h1").await.unwrap();
    host.cluster.clock.advance(21 * DAY);
    renewing.step().await;
    assert_eq!(host.serial(), before);
}
