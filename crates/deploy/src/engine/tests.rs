//! Deploys against a world in memory, which can be told to refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;

use super::{Engine, Error, Observer};
use crate::api::{Answer, Api, Call, Error as ApiError};
use crate::desired::{Desired, Identity};
use crate::live::{Made, Provider};
use crate::record::{Properties, Record, Recorded};
use crate::resource::Type;
use crate::store::Store;
use crate::template::Template;

/// What is there, by the names it was given; and which names are refused.
#[derive(Default)]
struct World {
    there: Mutex<BTreeMap<String, Properties>>,
    refused: BTreeSet<&'static str>,
    stored: Mutex<Option<(u64, Bytes)>>,
}

impl World {
    fn put(&self, name: &str, to: &Properties) -> Result<Made, ApiError> {
        let given = to.get("LogGroupName").and_then(|name| name.as_str());
        if given.is_some_and(|given| self.refused.contains(given)) {
            return Err(ApiError::Failed("told to refuse".to_owned()));
        }
        let mut there = self.there.lock().unwrap();
        there.insert(name.to_owned(), to.clone());
        Ok(Made {
            id: name.to_owned(),
            attributes: BTreeMap::new(),
        })
    }
}

#[async_trait]
impl Provider for World {
    async fn create(&self, it: &Recorded) -> Result<Made, ApiError> {
        self.put(&it.name, &it.properties)
    }

    async fn update(&self, before: &Recorded, to: &Properties) -> Result<Made, ApiError> {
        self.put(&before.name, to)
    }

    async fn delete(&self, it: &Recorded) -> Result<(), ApiError> {
        self.there.lock().unwrap().remove(&it.name);
        Ok(())
    }
}

/// Keeps the record as a server would.
#[async_trait]
impl Api for World {
    async fn send(&self, call: Call) -> Result<Answer, String> {
        let mut stored = self.stored.lock().unwrap();
        let current = stored.as_ref().map(|(n, _)| format!("revision={n}"));
        let query = call
            .target
            .split_once('?')
            .map(|(_, query)| query.to_owned());
        let (status, body) = match call.method {
            Method::PUT if query == current => {
                let revision = stored.as_ref().map_or(1, |(n, _)| n + 1);
                *stored = Some((revision, call.body));
                (200, format!("{{\"Revision\":{revision}}}"))
            }
            Method::DELETE if query == current => {
                *stored = None;
                (204, String::new())
            }
            _ => (409, "{\"message\":\"changed\"}".to_owned()),
        };
        Ok(Answer {
            status,
            error_type: None,
            body: body.into(),
        })
    }
}

struct Silent;

impl Observer for Silent {
    fn begun(&self, _: &'static str, _: Type, _: &str) {}
    fn done(&self, _: &'static str, _: Type, _: &str, _: f64) {}
    fn failed(&self, _: &'static str, _: Type, _: &str, _: &ApiError) {}
    fn rolling_back(&self) {}
}

fn identity() -> Identity {
    Identity {
        stack: "demo".to_owned(),
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    }
}

fn engine(world: &Arc<World>) -> Engine<'_> {
    let store = Store::new(world.clone(), "demo");
    Engine::new(&**world, &Silent, (store, Record::default()), identity())
}

async fn deploy(engine: &mut Engine<'_>, resources: &str) -> Result<(), Error> {
    let template = Template::parse(&format!("Resources:\n{resources}")).unwrap();
    let desired = Desired::of(&template, &BTreeMap::new(), &identity()).unwrap();
    engine.deploy(&desired, &mut |_, _| Ok(())).await
}

const BEFORE: &str = "
  A: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 3}}
  B: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: b}}
";
const AFTER: &str = "
  A: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 5}}
  B: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: c}}
  C: {Type: AWS::Logs::LogGroup}
  D: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: bad}}
";

#[tokio::test]
async fn a_failure_leaves_everything_as_it_was() {
    let world = Arc::new(World {
        refused: BTreeSet::from(["bad"]),
        ..World::default()
    });
    let mut engine = engine(&world);
    deploy(&mut engine, BEFORE).await.unwrap();
    let (there, record) = (world.there.lock().unwrap().clone(), engine.record().clone());
    assert_eq!(there.len(), 2);
    let failure = deploy(&mut engine, AFTER).await.unwrap_err();
    let of_d = matches!(failure, Error::RolledBack { ref name, .. } if name == "D");
    assert!(of_d, "{failure}");
    assert_eq!(*world.there.lock().unwrap(), there);
    assert_eq!(*engine.record(), record);
    let good = AFTER.replace("bad", "good");
    deploy(&mut engine, &good).await.unwrap();
    assert_eq!(world.there.lock().unwrap().len(), 4);
    engine.delete().await.unwrap();
    assert!(world.there.lock().unwrap().is_empty());
    assert!(world.stored.lock().unwrap().is_none());
}

#[tokio::test]
async fn the_first_deploy_that_fails_leaves_no_stack() {
    let world = Arc::new(World {
        refused: BTreeSet::from(["b"]),
        ..World::default()
    });
    deploy(&mut engine(&world), BEFORE).await.unwrap_err();
    assert!(world.there.lock().unwrap().is_empty());
    assert!(world.stored.lock().unwrap().is_none());
}

#[tokio::test]
async fn of_two_deploys_at_once_one_notices() {
    let world = Arc::new(World::default());
    deploy(&mut engine(&world), BEFORE).await.unwrap();
    // It has seen no record, and there is one by now.
    let failure = deploy(&mut engine(&world), BEFORE).await.unwrap_err();
    assert!(matches!(failure, Error::Record(_)), "{failure}");
}
