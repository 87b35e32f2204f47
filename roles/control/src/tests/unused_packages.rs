//! Packages are removed when nothing names them any more, and never before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use records::packages::{UnusedPackage, unused_package_key};
use serde_json::{Value, json};
use storage::{Consistency, Expect, Table as _};
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use types::Clock as _;

use super::harness::{FUNCTIONS, World, create, create_with, zip};
use crate::unused_packages::{UnusedPackages, claim_package};

const KEPT: Duration = Duration::from_secs(3_600);

impl World {
    fn sweeper(&self, operators: &[&str]) -> UnusedPackages {
        UnusedPackages::new(
            Arc::clone(&self.control.rows),
            Arc::clone(&self.code),
            self.clock.clone(),
            KEPT,
            operators.iter().map(|image| (*image).to_owned()).collect(),
        )
    }

    /// Two sweeps, and the time that unused packages are kept between them.
    async fn swept(&self) {
        self.sweeper(&[]).sweep().await.unwrap();
        self.clock.advance(KEPT);
        self.sweeper(&[]).sweep().await.unwrap();
    }

    async fn packages(&self) -> BTreeSet<String> {
        let names = self.code.list(None, 99).await.unwrap();
        names.into_iter().collect()
    }

    /// The package of a function's version.
    async fn image(&self, name: &str) -> String {
        let scope = super::function("f").scope;
        let name = types::FunctionName::new(name).unwrap();
        let row = self
            .control
            .functions
            .function(&scope, &name)
            .await
            .unwrap();
        row.unwrap().0.latest.code.image
    }

    async fn delete(&self, target: &str) {
        let answer = self.call("DELETE", target, Value::Null).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    async fn mark(&self, image: &str) -> Option<UnusedPackage> {
        let key = unused_package_key(image);
        let row = self.table.get(&key, Consistency::Strong).await.unwrap();
        row.map(|row| serde_json::from_slice(&row.value).unwrap())
    }

    async fn set_mark(&self, image: &str, going: bool) {
        let since = self.clock.now();
        let mark = serde_json::to_vec(&UnusedPackage { since, going }).unwrap();
        let key = unused_package_key(image);
        self.table
            .put(&key, mark.into(), Expect::Any)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_deleted_functions_package_goes_after_its_time() {
    let world = World::with_function().await;
    let image = world.image("f").await;
    world.swept().await;
    assert_eq!(world.packages().await, BTreeSet::from([image.clone()]));
    world.delete(&format!("{FUNCTIONS}/f")).await;
    world.sweeper(&[]).sweep().await.unwrap();
    world.clock.advance(KEPT - Duration::from_millis(1));
    world.sweeper(&[]).sweep().await.unwrap();
    assert!(world.packages().await.contains(&image));
    world.clock.advance(Duration::from_millis(1));
    world.sweeper(&[]).sweep().await.unwrap();
    assert!(world.packages().await.is_empty());
    assert_eq!(world.mark(&image).await, None);
}

#[tokio::test]
async fn whatever_names_a_package_keeps_it() {
    let world = World::new();
    let layer = json!({"Content": {"ZipFile": zip("layer")}});
    let path = "/2018-10-31/layers/l/versions";
    let layer = world.call("POST", path, layer).await.body["LayerVersionArn"].clone();
    let members = json!({"Publish": true, "Layers": [layer]});
    world.call("POST", FUNCTIONS, create_with(members)).await;
    world.wait("f", "State", "Active").await;
    let code = json!({"ZipFile": zip("two")});
    let target = format!("{FUNCTIONS}/f/code");
    world.call("PUT", &target, code).await;
    world.settled().await;
    // The layer, version 1's code and $LATEST's.
    world.swept().await;
    assert_eq!(world.packages().await.len(), 3);
    // The function still has the layer.
    world.delete(&format!("{path}/1")).await;
    world.swept().await;
    assert_eq!(world.packages().await.len(), 3);
    world.delete(&format!("{FUNCTIONS}/f?Qualifier=1")).await;
    world.swept().await;
    assert_eq!(world.packages().await.len(), 2);
    let latest = world.image("f").await;
    assert!(world.packages().await.contains(&latest));
}

#[tokio::test]
async fn what_an_update_replaces_and_what_is_being_published_is_named() {
    let world = World::new();
    let mut function = super::function("f");
    for (member, content) in [
        (&mut function.serving, "a"),
        (&mut function.publishing, "b"),
    ] {
        let mut other = function.latest.clone();
        other.code.image = world.code.publish(package(content)).await.unwrap().image;
        *member = Some(Arc::new(other));
    }
    world.control.functions.create(&function).await.unwrap();
    world.code.publish(package("c")).await.unwrap();
    world.swept().await;
    assert_eq!(world.packages().await.len(), 2);
}

#[tokio::test]
async fn what_is_named_again_has_all_its_time_again() {
    let world = World::with_function().await;
    let image = world.image("f").await;
    world.delete(&format!("{FUNCTIONS}/f")).await;
    world.sweeper(&[]).sweep().await.unwrap();
    assert!(world.mark(&image).await.is_some());
    world.clock.advance(KEPT);
    // Its time is over, and somebody publishes it: kept, with no row that names it yet.
    claim_package(&world.control.rows, &image).await.unwrap();
    world.sweeper(&[]).sweep().await.unwrap();
    assert!(world.packages().await.contains(&image));
    world.sweeper(&[]).sweep().await.unwrap();
    assert!(world.mark(&image).await.is_some());
    world.call("POST", FUNCTIONS, create("g")).await;
    assert_eq!(world.mark(&image).await, None);
    world.clock.advance(KEPT);
    world.swept().await;
    assert_eq!(world.image("g").await, image);
    assert!(world.packages().await.contains(&image));
    assert_eq!(world.mark(&image).await, None);
}

#[tokio::test]
async fn who_publishes_what_is_going_waits_and_keeps_it_anew() {
    let world = World::with_function().await;
    let image = world.image("f").await;
    world.delete(&format!("{FUNCTIONS}/f")).await;
    // As a control plane leaves it that dies in the middle.
    world.set_mark(&image, true).await;
    let sweeper = world.sweeper(&[]);
    let (created, swept) = tokio::join!(world.call("POST", FUNCTIONS, create("g")), async {
        tokio::task::yield_now().await;
        sweeper.sweep().await
    });
    swept.unwrap();
    assert_eq!(created.status, 201, "{}", created.body);
    world.wait("g", "State", "Active").await;
    assert!(world.packages().await.contains(&image));
    assert_eq!(world.mark(&image).await, None);
}

#[tokio::test]
async fn what_is_going_and_yet_named_stays() {
    let world = World::with_function().await;
    let image = world.image("f").await;
    world.set_mark(&image, true).await;
    world.sweeper(&[]).sweep().await.unwrap();
    assert!(world.packages().await.contains(&image));
    assert_eq!(world.mark(&image).await, None);
}

#[tokio::test]
async fn the_operators_package_stays_and_nothing_goes_while_a_row_cannot_be_read() {
    let world = World::new();
    let image = world.code.publish(package("opt")).await.unwrap().image;
    world.sweeper(&[&image]).sweep().await.unwrap();
    assert_eq!(world.mark(&image).await, None);
    world.sweeper(&[]).sweep().await.unwrap();
    world.clock.advance(KEPT);
    let key = "version/000000000000/us-east-1/f/000000000001";
    let put = |value: &'static str| world.table.put(key, value.into(), Expect::Any);
    put("damaged").await.unwrap();
    assert!(world.sweeper(&[]).sweep().await.is_err());
    assert!(world.packages().await.contains(&image));
    world.table.delete(key, Expect::Any).await.unwrap();
    world.sweeper(&[]).sweep().await.unwrap();
    assert!(world.packages().await.is_empty());
}

/// Functions come and go, and with them repeatedly the last that names a package.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_acknowledged_function_is_without_its_package_however_looks_and_requests_meet() {
    let world = Arc::new(World::new());
    // A request takes less time than packages are kept.
    let under_way = Arc::new(RwLock::new(()));
    let mut tasks = JoinSet::new();
    for client in 0..4 {
        let (world, under_way) = (Arc::clone(&world), Arc::clone(&under_way));
        tasks.spawn(async move {
            for turn in 0..30 {
                let name = format!("f-{client}-{turn}");
                let mut body = create(&name);
                body["Code"]["ZipFile"] = Value::from(zip(["a", "b"][turn % 2]));
                let request = under_way.read().await;
                let created = world.call("POST", FUNCTIONS, body).await;
                assert_eq!(created.status, 201, "{}", created.body);
                drop(request);
                let image = world.image(&name).await;
                let kept = world.code.zip(&image).await.unwrap();
                assert!(kept.is_some(), "{name} has no package");
                let _request = under_way.read().await;
                world.delete(&format!("{FUNCTIONS}/{name}")).await;
            }
        });
    }
    let sweeper = world.sweeper(&[]);
    let sweeping = async {
        loop {
            sweeper.sweep().await.unwrap();
            let nobody = under_way.write().await;
            world.clock.advance(KEPT);
            drop(nobody);
            // Otherwise a sweep that finds nothing to wait for would never let the others finish.
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = sweeping => {}
        () = async { while let Some(done) = tasks.join_next().await { done.unwrap() } } => {}
    }
    world.swept().await;
    assert!(world.packages().await.is_empty());
}

fn package(content: &str) -> bytes::Bytes {
    let zip = zip(content);
    let zip = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, zip);
    zip.unwrap().into()
}
