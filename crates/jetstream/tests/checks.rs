//! Servers that would lose what they acknowledge are refused.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code outside the functions marked as tests"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use jetstream::{Cluster, Error, Login, Settings, Sync};
use support::Servers;
use types::{SystemClock, SystemRandom};

async fn refusal(settings: Settings) -> String {
    for _ in 0..200 {
        let random = Arc::new(SystemRandom);
        let connected = Cluster::connect(settings.clone(), Arc::new(SystemClock), random).await;
        match connected.err() {
            Some(Error::Connect { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            Some(error) => return error.to_string(),
            None => return String::new(),
        }
    }
    panic!("no server answers");
}

#[tokio::test]
async fn servers_that_do_not_write_before_they_acknowledge_are_refused() {
    let servers = Servers::start(1, "2m");
    let told = refusal(servers.settings()).await;
    assert!(told.contains("sync_interval: always"), "{told}");
    let stated = Settings {
        sync: Sync::Stated,
        ..servers.settings()
    };
    assert_eq!(refusal(stated).await, "", "the operator answers for it");
}

#[tokio::test]
async fn fewer_servers_than_copies_are_refused() {
    let servers = Servers::start(1, "always");
    let settings = Settings {
        replicas: 3,
        patience: Duration::from_secs(2),
        ..servers.settings()
    };
    let told = refusal(settings.clone()).await;
    assert!(told.contains("3 copies"), "{told}");
    // Nobody has asked the servers; the first stream shows it.
    let stated = Settings {
        sync: Sync::Stated,
        ..settings
    };
    let cluster = support::connect(stated).await;
    let told = cluster.rows("metadata").await.err().unwrap().to_string();
    assert!(told.contains("3 copies"), "{told}");
}

#[tokio::test]
async fn a_table_with_fewer_copies_than_asked_for_is_refused() {
    let servers = Servers::start(3, "always");
    let settings = servers.settings();
    let fewer = Settings {
        replicas: 1,
        ..settings.clone()
    };
    let cluster = support::connect(fewer).await;
    cluster.rows("metadata").await.unwrap();
    let cluster = support::connect(settings).await;
    let told = cluster.rows("metadata").await.err().unwrap().to_string();
    assert!(
        told.contains("3 copies") && told.contains("there are 1"),
        "{told}"
    );
}

#[tokio::test]
async fn an_ordinary_user_is_not_the_system_and_this_is_said() {
    let servers = Servers::start(1, "always");
    let ordinary = Settings {
        sync: Sync::Asked(Login {
            user: "lambent".to_owned(),
            password: "lambent".to_owned(),
        }),
        patience: Duration::from_secs(1),
        ..servers.settings()
    };
    let told = refusal(ordinary).await;
    assert!(told.contains("system account"), "{told}");
}
