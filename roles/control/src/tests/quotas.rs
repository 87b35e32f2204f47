//! Nothing that an account makes grows without a bound.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use types::Clock as _;
use wire::sigv4::Signer;

use super::harness::{FUNCTIONS, World, create, signer};
use crate::{Config, Shares};

#[tokio::test]
async fn a_request_with_a_name_twice_makes_nothing() {
    let world = World::new();
    let body = create("f").to_string();
    let twice = body.replacen('{', r#"{"FunctionName":"g","#, 1);
    let deep = body.replacen(r#""Code":{"#, r#""Code":{"ZipFile":"","#, 1);
    for text in [twice, deep] {
        assert_ne!(text, body);
        let root: Signer<'_> = signer("AKIATEST", "secret");
        let answer = world.send(&root, "POST", FUNCTIONS, text.as_bytes()).await;
        answer.refused(400, "SerializationException", "a name is there twice");
    }
    let listed = world.call("GET", FUNCTIONS, Value::Null).await;
    assert_eq!(listed.body["Functions"], json!([]));
}

/// What the packages of `harness::create` count for: a file takes 4 KB unpacked, of which a quarter counts.
const PACKAGE: u64 = 1_024;

#[tokio::test]
async fn the_code_that_an_account_keeps_is_the_sum_of_what_all_control_planes_took() {
    let (table, blobs) = (Arc::default(), Arc::default());
    let two = watch::channel(2).1;
    let plane = || {
        let config = Config {
            code_bytes_max: 3 * PACKAGE,
            shares: Shares::new(two.clone()),
            ..Config::default()
        };
        let cache = tempfile::tempdir().unwrap();
        World::over(config, Arc::clone(&table), Arc::clone(&blobs), cache)
    };
    let ((one, _), (other, _)) = (plane(), plane());
    let made = async |world: &World, name| {
        let answer = world.call("POST", FUNCTIONS, create(name)).await;
        (answer.status, answer.error)
    };
    let full = (400, "CodeStorageExceededException".to_owned());
    assert_eq!(made(&one, "f").await.0, 201);
    assert_eq!(made(&other, "g").await.0, 201);
    assert_eq!(made(&other, "h").await.0, 201);
    assert_eq!(made(&other, "i").await, full);
    // By then it counts again what others took.
    one.clock.advance(Duration::from_secs(6));
    assert_eq!(made(&one, "i").await, full);
}

#[tokio::test]
async fn each_control_plane_takes_its_share_of_the_uploads() {
    let (count, seen) = watch::channel(1);
    let config = Config {
        upload_bytes_max: 4 << 30,
        shares: Shares::new(seen),
        ..Config::default()
    };
    let (world, _settler) = World::unsettled(config);
    let account = super::function("f").scope.account;
    let all = (world.clock.now(), 3 << 30);
    let bound = (world.control.config.unused_packages_kept, 4 << 30);
    assert!(world.control.uploads.take(&account, all, bound));
    assert_eq!(world.call("POST", FUNCTIONS, create("f")).await.status, 201);
    count.send_replace(2);
    let refused = world.call("POST", FUNCTIONS, create("g")).await;
    refused.refused(429, "TooManyRequestsException", "Rate exceeded");
}
