//! Deploys against a world in memory, which can be told to refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::{Engine, Error, Observer};
use crate::api::{Answer, Api, Call, Error as ApiError};
use crate::desired::{Desired, Identity};
use crate::live::{Made, Provider};
use crate::record::{Properties, Record, Recorded};
use crate::resource::Type;
use crate::store::Store;
use crate::template::Template;

/// What is there, by the names it was given; and which names are refused. Layers' versions are
/// numbered by the world, `words:001`, so that only it knows what one was called.
#[derive(Default)]
struct World {
    /// Calls after which the deploy is killed, if it is: an odd number before the call has an
    /// effect, an even one after it.
    killed_at: Mutex<Option<u32>>,
    killed: tokio::sync::Notify,
    /// How many versions of layers were ever there.
    published: Mutex<u32>,
    there: Mutex<BTreeMap<String, Properties>>,
    refused: BTreeSet<&'static str>,
    stored: Mutex<Option<(u64, Bytes)>>,
}

impl World {
    /// A place where the deploy may be killed: then it never continues.
    async fn may_be_killed(&self) {
        let dead = {
            let mut left = self.killed_at.lock().unwrap();
            left.as_mut().is_some_and(|left| {
                *left = left.saturating_sub(1);
                *left == 0
            })
        };
        if dead {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn publish(&self, it: &Recorded) -> Made {
        let mut there = self.there.lock().unwrap();
        let mut published = self.published.lock().unwrap();
        *published += 1;
        let name = format!("words:{published:03}");
        there.insert(name.clone(), it.properties.clone());
        Made {
            id: name,
            attributes: BTreeMap::new(),
        }
    }

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
    async fn intend(&self, it: &Recorded) -> Result<BTreeMap<String, Value>, ApiError> {
        let there = self.there.lock().unwrap();
        let newest = there.keys().filter(|name| name.starts_with("words:")).max();
        match there.contains_key(name(it)) {
            true => Err(ApiError::Failed("there already".to_owned())),
            false => Ok(BTreeMap::from([(
                "after".to_owned(),
                newest.cloned().into(),
            )])),
        }
    }

    async fn create(&self, it: &Recorded) -> Result<Made, ApiError> {
        self.may_be_killed().await;
        let made = match it.kind {
            Type::LayerVersion => Ok(self.publish(it)),
            _ => self.put(name(it), &it.properties),
        };
        self.may_be_killed().await;
        made
    }

    async fn update(&self, before: &Recorded, to: &Properties) -> Result<Made, ApiError> {
        self.may_be_killed().await;
        let made = self.put(name(before), to);
        self.may_be_killed().await;
        made
    }

    async fn delete(&self, it: &Recorded) -> Result<(), ApiError> {
        self.may_be_killed().await;
        {
            let mut there = self.there.lock().unwrap();
            match (it.kind, it.id.as_str()) {
                (Type::LayerVersion, "") => there.retain(|name, _| {
                    let after = it.attributes["after"].as_str();
                    !name.starts_with("words:") || Some(name.as_str()) <= after
                }),
                (Type::LayerVersion, id) => drop(there.remove(id)),
                _ => drop(there.remove(name(it))),
            }
        }
        self.may_be_killed().await;
        Ok(())
    }
}

fn name(it: &Recorded) -> &str {
    let given = it.properties.get("LogGroupName").and_then(Value::as_str);
    given.unwrap_or(&it.name)
}

/// Keeps the record as a server would.
#[async_trait]
impl Api for World {
    async fn send(&self, call: Call) -> Result<Answer, String> {
        self.may_be_killed().await;
        let answer = self.store(call);
        self.may_be_killed().await;
        answer
    }
}

impl World {
    fn store(&self, call: Call) -> Result<Answer, String> {
        let mut stored = self.stored.lock().unwrap();
        let current = stored.as_ref().map(|(n, _)| format!("revision={n}"));
        let query = call
            .target
            .split_once('?')
            .map(|(_, query)| query.to_owned());
        let (status, body) = match call.method {
            Method::GET => match stored.as_ref() {
                Some((revision, record)) => {
                    let record = String::from_utf8_lossy(record);
                    (
                        200,
                        format!("{{\"Revision\":{revision},\"Record\":{record}}}"),
                    )
                }
                None => (404, "{}".to_owned()),
            },
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

/// A deploy as a new process does it: with the record that the store has.
async fn afresh(world: &Arc<World>, resources: &str) -> Result<(), Error> {
    let mut store = Store::new(world.clone(), "demo");
    let record = store.load().await.unwrap().unwrap_or_default();
    let mut engine = Engine::new(&**world, &Silent, (store, record), identity());
    match resources {
        "" => engine.delete().await,
        resources => deploy(&mut engine, resources).await,
    }
}

/// A deploy that is killed after `at` steps; `false` if it finished before that.
async fn killed(world: &Arc<World>, resources: &str, at: u32) -> bool {
    *world.killed_at.lock().unwrap() = Some(at);
    let dead = tokio::select! {
        biased;
        () = world.killed.notified() => true,
        _ = afresh(world, resources) => false,
    };
    *world.killed_at.lock().unwrap() = None;
    dead
}

const OLD: &str = "
  A: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 3}}
  B: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: b}}
  L: {Type: AWS::Lambda::LayerVersion, Properties: {Content: x}}
  G: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: gone}}
";
const NEW: &str = "
  A: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 5}}
  B: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: c}}
  L: {Type: AWS::Lambda::LayerVersion, Properties: {Content: y}}
  C: {Type: AWS::Logs::LogGroup}
";

/// The properties of all that is there.
fn contents(world: &World) -> Vec<String> {
    let there = world.there.lock().unwrap();
    let mut all: Vec<String> = there
        .values()
        .map(|properties| Value::Object(properties.clone()).to_string())
        .collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn wherever_a_deploy_is_killed_the_next_one_leaves_just_what_is_wanted() {
    let clean = async |resources: &str| {
        let world = Arc::new(World::default());
        afresh(&world, resources).await.unwrap();
        contents(&world)
    };
    let mut kills = 0;
    for (before, then) in [("", OLD), (OLD, NEW), (NEW, "")] {
        for after in [OLD, NEW] {
            let expected = clean(after).await;
            for at in 1.. {
                let world = Arc::new(World::default());
                if !before.is_empty() {
                    afresh(&world, before).await.unwrap();
                }
                if !killed(&world, then, at).await {
                    break;
                }
                kills += 1;
                afresh(&world, after).await.unwrap();
                assert_eq!(contents(&world), expected, "killed at {at} of {then}");
                afresh(&world, "").await.unwrap();
                assert_eq!(contents(&world), Vec::<String>::new(), "killed at {at}");
            }
        }
    }
    assert!(kills > 100, "{kills}");
}

#[tokio::test]
async fn what_is_somebody_elses_is_never_deleted() {
    let foreign = Properties::from_iter([("mine".to_owned(), Value::from(true))]);
    let name = "  B: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: b}}";
    for at in 1.. {
        let world = Arc::new(World::default());
        let there = || world.there.lock().unwrap();
        there().insert("b".to_owned(), foreign.clone());
        let dead = killed(&world, name, at).await;
        // Somebody makes it meanwhile, or has it: it stays theirs through another try and the end.
        let failure = afresh(&world, name).await.unwrap_err();
        assert!(failure.to_string().contains("there already"), "{failure}");
        let _ = afresh(&world, "").await;
        assert_eq!(there().get("b"), Some(&foreign));
        if !dead {
            break;
        }
    }
}
