//! What is issued, to whom, and what is taken back.

use std::collections::BTreeMap;

use api::enrolment::{self, Enrolment as _, Renew};
use futures_util::future::join_all;
use keyring::Keyring;
use storage::{Consistency, Table as _};

use super::*;
use crate::{Error, Facts, SigningKey};

async fn rows(cluster: &Cluster) -> BTreeMap<String, String> {
    let rows = cluster.table.list("cluster/", None, 1_000).await.unwrap();
    let rows = rows.into_iter();
    rows.map(|row| (row.key, String::from_utf8(row.value.to_vec()).unwrap()))
        .collect()
}

fn renewal(files: &Files, host: &str, roles: &[Role]) -> Renew {
    Renew {
        holder: holder(host, roles),
        serial: Facts::of_pem(&files.certificate).unwrap().serial,
        request: SigningKey::from_pem(&files.key).unwrap().request().unwrap(),
    }
}

#[tokio::test]
async fn a_certificate_says_what_the_token_allows() {
    let cluster = Cluster::new().await;
    let roles = [Role::Control, Role::Worker];
    let files = cluster.host("h1.example.com", &roles).await;
    let peer = identity(&files).own();
    let named = (
        peer.host.as_str(),
        peer.zone.as_str(),
        peer.roles.as_slice(),
    );
    assert_eq!(named, ("h1.example.com", "a", roles.as_slice()));
    let facts = Facts::of_pem(&files.certificate).unwrap();
    assert_eq!(facts.serial, peer.serial);
    let (now, seconds) = (cluster.clock.now(), Duration::from_secs(1));
    assert!(facts.from < now && now.after(30 * DAY - seconds) <= facts.until);
    assert!(facts.until <= now.after(30 * DAY + seconds));
    let issued = cluster.registrar.certificates().await.unwrap();
    let [certificate] = issued.as_slice() else {
        panic!("one was issued")
    };
    assert_eq!(certificate.serial, peer.serial);
    assert_eq!(certificate.host, "h1.example.com");
    assert!(!certificate.revoked);
}

#[tokio::test]
async fn a_token_lets_one_in_once() {
    let cluster = Cluster::new().await;
    let token = cluster
        .registrar
        .token(address(), holder("h1", &[Role::Worker]), HOUR);
    let token = token.await.unwrap();
    // One without a key does not use it up.
    let nothing = cluster.registrar.admit(&token.secret, "no request").await;
    assert!(matches!(nothing, Err(Error::Malformed)));
    let tries = (0..10).map(|_| cluster.admitted(&token.secret));
    let tries = join_all(tries).await;
    let refused = tries
        .iter()
        .filter(|tried| matches!(tried, Err(Error::Token)));
    assert_eq!(refused.count(), 9);
    let again = cluster.admitted(&token.secret).await;
    assert!(matches!(again, Err(Error::Token)));
}

#[tokio::test]
async fn a_token_is_valid_for_its_time() {
    let cluster = Cluster::new().await;
    let token = cluster
        .registrar
        .token(address(), holder("h1", &[Role::Worker]), HOUR);
    let secret = token.await.unwrap().secret;
    let unknown = cluster.admitted(&Secret::new("0".repeat(64))).await;
    assert!(matches!(unknown, Err(Error::Token)));
    cluster.clock.advance(HOUR);
    let expired = cluster.admitted(&secret).await;
    assert!(matches!(expired, Err(Error::Token)));
}

#[tokio::test]
async fn the_table_has_no_secret() {
    let cluster = Cluster::new().await;
    let token = cluster
        .registrar
        .token(address(), holder("h1", &[Role::Worker]), HOUR);
    let secret = token.await.unwrap().secret;
    let key = cluster.authority.private_key();
    let line = key.lines().nth(1).unwrap();
    for (key, value) in rows(&cluster).await {
        assert!(!key.contains(secret.expose()) && !value.contains(secret.expose()));
        assert!(!value.contains(line), "{key}");
    }
}

#[tokio::test]
async fn there_is_one_authority_which_each_process_with_the_master_key_has() {
    let cluster = Cluster::new().await;
    let other = Authority::new(cluster.clock.now(), &SystemRandom).unwrap();
    assert!(!cluster.registrar.found(&other).await.unwrap());
    assert!(cluster.registrar.found(&cluster.authority).await.unwrap());
    let holder = holder("h1", &[Role::Worker]);
    let same = registrar(&cluster.table, [7; 32], &cluster.clock);
    let token = same.token(address(), holder.clone(), HOUR).await.unwrap();
    assert_eq!(
        token.fingerprint,
        crate::fingerprint(cluster.authority.certificate()).unwrap()
    );
    cluster.admitted(&token.secret).await.unwrap();
    let stranger = registrar(&cluster.table, [8; 32], &cluster.clock);
    let refused = stranger.token(address(), holder, HOUR).await;
    assert!(matches!(refused, Err(Error::Sealed)));
}

#[tokio::test]
async fn without_an_authority_nothing_is_issued() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let registrar = registrar(&Arc::default(), [7; 32], &clock);
    let refused = registrar.token(address(), holder("h1", &[]), HOUR).await;
    assert!(matches!(refused, Err(Error::NoAuthority)));
}

#[tokio::test]
async fn the_newest_master_key_seals_the_authority() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let table = Arc::new(MemoryTable::default());
    let open = || {
        let keyring = Arc::new(Keyring::open(&path, &SystemRandom).unwrap());
        Registrar::new(
            table.clone(),
            &keyring,
            clock.clone(),
            Arc::new(SystemRandom),
        )
    };
    let authority = Authority::new(clock.now(), &SystemRandom).unwrap();
    assert!(open().found(&authority).await.unwrap());
    Keyring::rotate(&path, &SystemRandom).unwrap();
    open().clean().await.unwrap();
    let keyring = Keyring::open(&path, &SystemRandom).unwrap();
    keyring.note_settled(&SystemRandom).unwrap();
    Keyring::retire(&path, &SystemRandom).unwrap();
    open()
        .token(address(), holder("h1", &[]), HOUR)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_next_certificate_says_what_the_present_one_does() {
    let cluster = Cluster::new().await;
    let files = cluster.host("h1", &[Role::Worker]).await;
    let renew = renewal(&files, "h1", &[Role::Worker]);
    let issued = cluster.registrar.renew(renew).await.unwrap();
    let next = Files {
        certificate: issued.certificate,
        ..files.clone()
    };
    let (before, after) = (identity(&files).own(), identity(&next).own());
    assert_ne!(before.serial, after.serial);
    assert_eq!((&before.host, &before.roles), (&after.host, &after.roles));
    let malformed = Renew {
        request: "x".to_owned(),
        ..renewal(&files, "h1", &[Role::Worker])
    };
    let refused = cluster.registrar.renew(malformed).await;
    assert_eq!(refused, Err(enrolment::Error::Malformed));
}

#[tokio::test]
async fn a_host_is_revoked_with_all_its_certificates() {
    let cluster = Cluster::new().await;
    let files = cluster.host("h1", &[Role::Worker]).await;
    let renew = renewal(&files, "h1", &[Role::Worker]);
    let issued = cluster.registrar.renew(renew.clone()).await.unwrap();
    let other = cluster.host("h2", &[Role::Worker]).await;
    let revoked = cluster.registrar.revoke_host("h1").await.unwrap();
    assert_eq!(revoked.len(), 2);
    for serial in [
        &renew.serial,
        &Facts::of_pem(&issued.certificate).unwrap().serial,
    ] {
        assert!(revoked.contains(serial));
        let key = format!("cluster/revoked/{serial}");
        let row = cluster.table.get(&key, Consistency::Strong).await.unwrap();
        assert!(row.is_some());
    }
    let refused = cluster.registrar.renew(renew).await;
    assert_eq!(refused, Err(enrolment::Error::Revoked));
    let other = renewal(&other, "h2", &[Role::Worker]);
    cluster.registrar.renew(other.clone()).await.unwrap();
    assert!(
        cluster
            .registrar
            .revoke_host("h1")
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        cluster
            .registrar
            .revoke_serial(&other.serial)
            .await
            .unwrap()
    );
    assert!(!cluster.registrar.revoke_serial("abc").await.unwrap());
    let refused = cluster.registrar.renew(other).await;
    assert_eq!(refused, Err(enrolment::Error::Revoked));
}

#[tokio::test]
async fn what_was_issued_before_there_was_a_table_can_be_revoked() {
    let cluster = Cluster::new().await;
    let first = holder("h1", &[Role::Control]);
    let key = SigningKey::new().unwrap();
    let issued = cluster
        .authority
        .first(&first, &key, cluster.clock.now(), &SystemRandom)
        .unwrap();
    let facts = Facts::of_pem(&issued.certificate).unwrap();
    for _ in 0..2 {
        cluster.registrar.record(&first, &facts).await.unwrap();
    }
    let revoked = cluster.registrar.revoke_host("h1").await.unwrap();
    assert_eq!(revoked, [facts.serial]);
}

#[tokio::test]
async fn what_has_expired_is_removed() {
    let cluster = Cluster::new().await;
    let _files = cluster.host("h1", &[Role::Worker]).await;
    cluster.registrar.revoke_host("h1").await.unwrap();
    let token = cluster.registrar.token(address(), holder("h2", &[]), HOUR);
    token.await.unwrap();
    cluster.registrar.clean().await.unwrap();
    assert_eq!(rows(&cluster).await.len(), 4);
    cluster.clock.advance(2 * HOUR);
    cluster.registrar.clean().await.unwrap();
    assert_eq!(rows(&cluster).await.len(), 3);
    cluster.clock.advance(30 * DAY);
    cluster.registrar.clean().await.unwrap();
    let left: Vec<String> = rows(&cluster).await.into_keys().collect();
    assert_eq!(left, ["cluster/authority"]);
    assert!(cluster.registrar.certificates().await.unwrap().is_empty());
}
