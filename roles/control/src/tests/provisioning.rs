//! What assignment is asked for provisioned concurrency, turn by turn.

use std::sync::{Arc, Mutex};

use api::assignment::{Assign, Assignment, Error, Lease, Lend, Provision, Report, Standing};
use async_trait::async_trait;
use records::functions::FunctionKey;
use serde_json::{Value, json};
use storage::{Expect, Table as _};

use super::harness::World;

const PC: &str = "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=";
const FUNCTION: &str = "/2015-03-31/functions/f";

/// Has `ready` environments of everything ready, and records the requests.
#[derive(Default)]
struct Told {
    ready: Mutex<u32>,
    /// For each request: version, count, held.
    wishes: Mutex<Vec<Vec<(String, u32, bool)>>>,
    deaf: Mutex<bool>,
}

impl Told {
    fn have_ready(&self, count: u32) {
        *self.ready.lock().unwrap() = count;
    }

    fn take(&self) -> Vec<Vec<(String, u32, bool)>> {
        std::mem::take(&mut self.wishes.lock().unwrap())
    }
}

#[async_trait]
impl Assignment for Told {
    async fn lend(&self, _: Lend) -> Result<Option<Lease>, Error> {
        Ok(None)
    }

    async fn assign(&self, _: Assign) -> Result<Lease, Error> {
        Err(Error::Unavailable)
    }

    async fn give_back(&self, _: Lease, _: FunctionKey) -> Result<(), Error> {
        Ok(())
    }

    async fn provision(&self, wanted: Vec<Provision>) -> Result<Vec<Option<Standing>>, Error> {
        if *self.deaf.lock().unwrap() {
            return Err(Error::Unavailable);
        }
        let wish = |wish: &Provision| {
            let version = wish.function.configuration.version.to_string();
            (version, wish.count, wish.held)
        };
        self.wishes
            .lock()
            .unwrap()
            .push(wanted.iter().map(wish).collect());
        let ready = *self.ready.lock().unwrap();
        let standing = |wish: &Provision| {
            Some(Standing {
                ready: ready.min(wish.count),
                failure: None,
            })
        };
        Ok(wanted.iter().map(standing).collect())
    }

    async fn report(&self, _: Option<types::WorkerId>, _: Vec<Report>) -> Result<(), Error> {
        Ok(())
    }
}

/// `f` with versions 1 and 2, and the alias `live` on 1 with two provisioned.
async fn provisioned() -> (World, Arc<Told>) {
    let world = World::with_function().await;
    for description in ["one", "two"] {
        let changed = json!({"Description": description});
        let target = format!("{FUNCTION}/configuration");
        assert_eq!(world.call("PUT", &target, changed).await.status, 200);
        world.settled().await;
        let target = format!("{FUNCTION}/versions");
        assert_eq!(world.call("POST", &target, Value::Null).await.status, 201);
    }
    let alias = json!({"Name": "live", "FunctionVersion": "1"});
    let aliases = format!("{FUNCTION}/aliases");
    assert_eq!(world.call("POST", &aliases, alias).await.status, 201);
    let two = json!({"ProvisionedConcurrentExecutions": 2});
    let put = world.call("PUT", &format!("{PC}live"), two).await;
    assert_eq!(put.status, 202, "{}", put.body);
    (world, Arc::default())
}

fn wish(version: &str, count: u32, held: bool) -> (String, u32, bool) {
    (version.to_owned(), count, held)
}

#[tokio::test]
async fn it_is_held_until_all_is_there_and_let_loose_before_anybody_counts_on_it() {
    let (world, told) = provisioned().await;
    let provisioner = world.control.provisioner(told.clone());
    told.have_ready(1);
    provisioner.turn().await.unwrap();
    assert_eq!(told.take(), [[wish("1", 2, true)]]);
    let body = world.get(&format!("{PC}live")).await.body;
    assert_eq!(body["Status"], "IN_PROGRESS");
    assert_eq!(body["AllocatedProvisionedConcurrentExecutions"], 1);
    assert_eq!(body["AvailableProvisionedConcurrentExecutions"], 0);
    told.have_ready(2);
    provisioner.turn().await.unwrap();
    assert_eq!(told.take(), [[wish("1", 2, true)], [wish("1", 2, false)]]);
    let body = world.get(&format!("{PC}live")).await.body;
    assert_eq!(body["Status"], "READY");
    assert_eq!(body["AvailableProvisionedConcurrentExecutions"], 2);
}

#[tokio::test]
async fn while_assignment_is_not_reached_nothing_changes() {
    let (world, told) = provisioned().await;
    let provisioner = world.control.provisioner(told.clone());
    told.have_ready(2);
    provisioner.turn().await.unwrap();
    let ready = world.get(&format!("{PC}live")).await.body;
    assert_eq!(ready["Status"], "READY");
    *told.deaf.lock().unwrap() = true;
    provisioner.turn().await.unwrap();
    assert_eq!(world.get(&format!("{PC}live")).await.body, ready);
}

#[tokio::test]
async fn two_over_one_table_come_to_the_same() {
    let (world, told) = provisioned().await;
    let one = world.control.provisioner(told.clone());
    let other = world.control.provisioner(told.clone());
    let (list, key) = ("provisioned/", "provisioned/000000000000/us-east-1/f/live");
    for (ready, status) in [(1, "IN_PROGRESS"), (2, "READY")] {
        told.have_ready(ready);
        let (first, second) = tokio::join!(one.turn(), other.turn());
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(world.get(&format!("{PC}live")).await.body["Status"], status);
    }
    one.turn().await.unwrap();
    let settled = world.table.list(list, None, 10).await.unwrap();
    assert_eq!(settled[0].key, key);
    told.take();
    // From then on they send the same again and again, and neither overwrites the other.
    for _ in 0..3 {
        let (first, second) = tokio::join!(other.turn(), one.turn());
        assert!(first.is_ok() && second.is_ok());
    }
    let same = vec![vec![wish("1", 2, false)]; 6];
    assert_eq!(told.take(), same);
    let after = world.table.list(list, None, 10).await.unwrap();
    assert_eq!(after[0].revision, settled[0].revision);
}

#[tokio::test]
async fn a_moved_alias_wants_both_versions_until_the_new_one_is_there() {
    let (world, told) = provisioned().await;
    let provisioner = world.control.provisioner(told.clone());
    told.have_ready(2);
    provisioner.turn().await.unwrap();
    let moved = json!({"FunctionVersion": "2"});
    let target = format!("{FUNCTION}/aliases/live");
    assert_eq!(world.call("PUT", &target, moved).await.status, 200);
    told.have_ready(1);
    told.take();
    provisioner.turn().await.unwrap();
    assert_eq!(told.take(), [[wish("2", 2, true), wish("1", 2, false)]]);
    told.have_ready(2);
    provisioner.turn().await.unwrap();
    told.take();
    provisioner.turn().await.unwrap();
    assert_eq!(told.take(), [[wish("2", 2, false)]]);
}

#[tokio::test]
async fn nothing_is_wanted_of_what_is_deleted_and_a_bad_row_stops_no_other() {
    let (world, told) = provisioned().await;
    let provisioner = world.control.provisioner(told.clone());
    for key in [
        "provisioned/x",
        "provisioned/000000000000/us-east-1/f/$bad",
        "provisioned/000000000000/us-east-1/g/1",
    ] {
        let value = "{}".into();
        world.table.put(key, value, Expect::Any).await.unwrap();
    }
    provisioner.turn().await.unwrap();
    assert_eq!(told.take(), [[wish("1", 2, true)]]);
    let gone = world
        .call("DELETE", &format!("{PC}live"), Value::Null)
        .await;
    assert_eq!(gone.status, 204);
    provisioner.turn().await.unwrap();
    assert_eq!(told.take(), [Vec::new()]);
}
