//! CloudWatch Logs as its callers see it, over a table in memory and over each store of events.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use authn::identity::{AccessKey, Error, Identities, Principal, PrincipalKind};
use authn::{Authenticator, Regions};
use bytes::Bytes;
use http::Request;
use policy::Permissions;
use serde_json::{Value, json};
use storage::memory::MemoryTable;
use storage::{Consistency, Expect, Table as _};
use types::{AccountId, Clock as _, ManualClock, Region, RequestId, Timestamp};
use wire::sigv4::Signer;

use crate::{
    Bounds, Config, Dependencies, Keeper, LogStore, Service, SharedDependencies, SharedStore, Store,
};

const SECRET: &str = "secret";

/// The account's own key is the only one.
struct Root;

#[async_trait]
impl Identities for Root {
    async fn access_key(&self, _: &str, _: Option<&str>) -> Result<AccessKey, Error> {
        Ok(AccessKey {
            secret: api::Secret::new(SECRET),
            principal: Principal {
                account: AccountId::new("000000000000").unwrap(),
                arn: "arn:aws:iam::000000000000:root".to_owned(),
                user_id: "000000000000".to_owned(),
                kind: PrincipalKind::Root,
            },
            permissions: Arc::new(Permissions {
                everything: true,
                ..Permissions::NONE
            }),
            session: None,
        })
    }
}

struct World {
    service: Service,
    keeper: Keeper,
    table: Arc<MemoryTable>,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

/// Where events are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Files,
    Blobs,
}

impl World {
    fn new(kind: Kind) -> Self {
        Self::over(kind, Arc::default())
    }

    fn over(kind: Kind, table: Arc<MemoryTable>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_769_854_830_123)));
        let folder = tempfile::tempdir().unwrap();
        let bounds = Bounds::default();
        let store: Arc<dyn Store> = match kind {
            Kind::Files => {
                let room = Arc::new(storage::Boundless);
                Arc::new(LogStore::open(folder.path().join("logs"), bounds, room).unwrap())
            }
            Kind::Blobs => Arc::new(SharedStore::new(
                bounds,
                SharedDependencies {
                    blobs: Arc::new(storage::memory::MemoryBlobs::default()),
                    workers: Arc::new(Vec::new),
                    clock: clock.clone(),
                    random: Arc::new(types::SystemRandom),
                },
            )),
        };
        let config = Config {
            regions: Regions::from_iter([Region::new("us-east-1").unwrap()]),
            retention_days: None,
        };
        let dependencies = Dependencies {
            table: table.clone(),
            store,
            authenticator: Arc::new(Authenticator::new(Arc::new(Root), clock.clone())),
            clock: clock.clone(),
        };
        let (service, keeper) = Service::new(config, dependencies);
        Self {
            service,
            keeper,
            table,
            clock,
            _folder: folder,
        }
    }

    /// The same table under a new process.
    fn restarted(&self) -> Self {
        Self::over(Kind::Files, Arc::clone(&self.table))
    }

    /// Sends a request; gives the status and what is answered.
    async fn answer(&self, request: Request<Bytes>) -> (u16, Value) {
        let (parts, body) = request.into_parts();
        let id = RequestId::from_uuid(Default::default());
        let answer = self.service.answer(&parts, &body, id).await;
        let body = serde_json::from_slice(answer.body()).unwrap_or_default();
        (answer.status().as_u16(), body)
    }

    /// Sends a signed request.
    async fn ask(&self, action: &str, body: Value) -> (u16, Value) {
        let signer = Signer {
            access_key_id: "AKIATEST",
            secret: SECRET,
            session_token: None,
            region: "us-east-1",
            service: "logs",
        };
        let request = Request::post("/")
            .header("host", "localhost:9100")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Logs_20140328.{action}"));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let body = body.to_string();
        signer.sign(&mut parts, body.as_bytes(), self.clock.now());
        self.answer(Request::from_parts(parts, body.into())).await
    }

    /// One that is answered.
    async fn told(&self, action: &str, body: Value) -> Value {
        let (status, answer) = self.ask(action, body).await;
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    /// One that is refused: why.
    async fn refused(&self, action: &str, body: Value) -> String {
        let (status, answer) = self.ask(action, body).await;
        assert_eq!(status, 400, "{action}: {answer}");
        error(&answer)
    }

    /// Sends a request about a group; gives the status and the error's name.
    async fn group(&self, action: &str, name: &str) -> (u16, String) {
        let (status, answer) = self.ask(action, json!({"logGroupName": name})).await;
        (status, error(&answer))
    }
}

fn error(answer: &Value) -> String {
    answer["__type"].as_str().unwrap_or_default().to_owned()
}

fn messages(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().unwrap();
    let messages = events.iter().map(|event| event["message"].as_str());
    messages.map(Option::unwrap).collect()
}

#[tokio::test]
async fn a_request_without_a_signature_is_told_so_in_the_services_error_shape() {
    let world = World::new(Kind::Files);
    let request = Request::post("/").header("x-amz-target", "Logs_20140328.DescribeLogGroups");
    let (status, answer) = world.answer(request.body(Bytes::new()).unwrap()).await;
    let missing = "MissingAuthenticationTokenException";
    assert_eq!((status, error(&answer).as_str()), (400, missing));
}

#[tokio::test]
async fn log_groups_have_a_quota_and_making_one_does_not_read_the_others() {
    let world = World::new(Kind::Files);
    let made = (200, String::new());
    assert_eq!(world.group("CreateLogGroup", "first").await, made);
    let key = |name: &str| format!("log-group/000000000000/us-east-1/{name}");
    let row = world.table.get(&key("first"), Consistency::Strong).await;
    let row = row.unwrap().unwrap().value;
    // The maximum, which only a reader of all of them learns.
    for number in 1..10_000 {
        let key = key(&format!("g{number}"));
        let put = world.table.put(&key, row.clone(), Expect::Absent).await;
        put.unwrap();
    }
    assert_eq!(world.group("CreateLogGroup", "second").await, made);
    // The next process counts them, once.
    let world = world.restarted();
    let refused = (400, "LimitExceededException".to_owned());
    assert_eq!(world.group("CreateLogGroup", "third").await, refused);
    assert_eq!(world.group("DeleteLogGroup", "g7").await, made);
    assert_eq!(world.group("DeleteLogGroup", "g8").await, made);
    assert_eq!(world.group("CreateLogGroup", "third").await, made);
}

#[tokio::test]
async fn groups_streams_and_events_are_as_they_were_put_whatever_keeps_them() {
    for kind in [Kind::Files, Kind::Blobs] {
        let world = World::new(kind);
        let now = world.clock.now().as_millis();
        world
            .told("CreateLogGroup", json!({"logGroupName": "g"}))
            .await;
        let stream = |name: &str| json!({"logGroupName": "g", "logStreamName": name});
        let missing = "ResourceNotFoundException";
        assert_eq!(world.refused("GetLogEvents", stream("a")).await, missing);
        for name in ["a", "b"] {
            world.told("CreateLogStream", stream(name)).await;
            let again = world.refused("CreateLogStream", stream(name)).await;
            assert_eq!(again, "ResourceAlreadyExistsException");
            assert_eq!(
                messages(&world.told("GetLogEvents", stream(name)).await),
                [""; 0]
            );
        }
        for (name, texts) in [("a", ["0", "2", "4"]), ("b", ["1", "3", "5"])] {
            let events = texts.iter().map(|text| {
                let ago: u64 = text.parse().unwrap();
                json!({"timestamp": now - 10 + ago, "message": text})
            });
            let mut put = stream(name);
            put["logEvents"] = events.collect();
            world.told("PutLogEvents", put).await;
        }
        let mut put = stream("c");
        put["logEvents"] = json!([{"timestamp": now, "message": "x"}]);
        assert_eq!(world.refused("PutLogEvents", put).await, missing);
        // All streams, page by page.
        let mut found = Vec::new();
        let mut filter = json!({"logGroupName": "g", "limit": 4});
        loop {
            let page = world.told("FilterLogEvents", filter.clone()).await;
            found.extend(messages(&page).into_iter().map(str::to_owned));
            filter["nextToken"] = page["nextToken"].clone();
            if page["nextToken"].is_null() {
                break;
            }
        }
        assert_eq!(found, ["0", "1", "2", "3", "4", "5"], "{kind:?}");
        let some = |names: &[&str]| json!({"logGroupName": "g", "logStreamNames": names});
        let page = world.told("FilterLogEvents", some(&["b"])).await;
        assert_eq!(messages(&page), ["1", "3", "5"]);
        let refused = world.refused("FilterLogEvents", some(&["b", "c"])).await;
        assert_eq!(refused, missing);
        let pattern = json!({"logGroupName": "g", "filterPattern": "?2 ?3"});
        let page = world.told("FilterLogEvents", pattern).await;
        assert_eq!(messages(&page), ["2", "3"]);
        // One stream from its end, there and back.
        let mut get = stream("a");
        get["limit"] = json!(2);
        let last = world.told("GetLogEvents", get.clone()).await;
        assert_eq!(messages(&last), ["2", "4"]);
        get["nextToken"] = last["nextBackwardToken"].clone();
        let first = world.told("GetLogEvents", get.clone()).await;
        assert_eq!(messages(&first), ["0"]);
        get["nextToken"] = first["nextForwardToken"].clone();
        assert_eq!(
            messages(&world.told("GetLogEvents", get.clone()).await),
            ["2", "4"]
        );
        get["nextToken"] = last["nextForwardToken"].clone();
        let end = world.told("GetLogEvents", get.clone()).await;
        assert_eq!(messages(&end), [""; 0]);
        assert_eq!(end["nextForwardToken"], last["nextForwardToken"]);
        let streams = world
            .told("DescribeLogStreams", json!({"logGroupName": "g"}))
            .await;
        let shown = &streams["logStreams"][1];
        assert_eq!(shown["logStreamName"], "b");
        assert_eq!(shown["creationTime"], now);
        assert_eq!(shown["firstEventTimestamp"], now - 9);
        assert_eq!(shown["lastEventTimestamp"], now - 5);
        assert_eq!(shown["lastIngestionTime"], now);
        let groups = world.told("DescribeLogGroups", json!({})).await;
        assert!(groups["logGroups"][0]["storedBytes"].as_u64().unwrap() > 0);
        world.told("DeleteLogStream", stream("a")).await;
        assert_eq!(world.refused("DeleteLogStream", stream("a")).await, missing);
        assert_eq!(world.refused("GetLogEvents", stream("a")).await, missing);
        let page = world
            .told("FilterLogEvents", json!({"logGroupName": "g"}))
            .await;
        assert_eq!(messages(&page), ["1", "3", "5"]);
        world
            .told("DeleteLogGroup", json!({"logGroupName": "g"}))
            .await;
        let gone = world
            .refused("FilterLogEvents", json!({"logGroupName": "g"}))
            .await;
        assert_eq!(gone, missing);
        let groups = world.told("DescribeLogGroups", json!({})).await;
        assert_eq!(groups["logGroups"], json!([]), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_group_keeps_no_longer_goes_in_the_background() {
    let world = World::new(Kind::Blobs);
    let keeping = tokio::spawn(world.keeper.clone().run());
    let now = world.clock.now().as_millis();
    for (group, days) in [("short", 1), ("long", 7)] {
        world
            .told("CreateLogGroup", json!({"logGroupName": group}))
            .await;
        let retention = json!({"logGroupName": group, "retentionInDays": days});
        world.told("PutRetentionPolicy", retention).await;
        let stream = json!({"logGroupName": group, "logStreamName": "s"});
        world.told("CreateLogStream", stream.clone()).await;
        let mut put = stream;
        put["logEvents"] = json!([{"timestamp": now, "message": "x"}]);
        world.told("PutLogEvents", put).await;
    }
    world.clock.advance(Duration::from_secs(25 * 3_600));
    tokio::time::sleep(Duration::from_secs(61)).await;
    let groups = world.told("DescribeLogGroups", json!({})).await;
    let bytes = |at: usize| groups["logGroups"][at]["storedBytes"].as_u64().unwrap();
    assert!(bytes(0) > 0, "{groups}");
    assert_eq!(bytes(1), 0, "{groups}");
    keeping.abort();
}
