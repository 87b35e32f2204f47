//! CloudWatch Logs as its callers see it, over stores in memory and in a folder.

use std::sync::Arc;

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

use crate::{Bounds, Config, Dependencies, LogStore, Service};

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
    table: Arc<MemoryTable>,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::over(Arc::default())
    }

    fn over(table: Arc<MemoryTable>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_769_854_830_123)));
        let folder = tempfile::tempdir().unwrap();
        let room = Arc::new(storage::Boundless);
        let store = LogStore::open(folder.path().join("logs"), Bounds::default(), room);
        let config = Config {
            regions: Regions::from_iter([Region::new("us-east-1").unwrap()]),
            retention_days: None,
        };
        let dependencies = Dependencies {
            table: table.clone(),
            store: Arc::new(store.unwrap()),
            authenticator: Arc::new(Authenticator::new(Arc::new(Root), clock.clone())),
            clock: clock.clone(),
        };
        let (service, _keeper) = Service::new(config, dependencies);
        Self {
            service,
            table,
            clock,
            _folder: folder,
        }
    }

    /// The same table under a new process.
    fn restarted(&self) -> Self {
        Self::over(Arc::clone(&self.table))
    }

    /// Sends a request; gives the status and the error's name.
    async fn answer(&self, request: Request<Bytes>) -> (u16, String) {
        let (parts, body) = request.into_parts();
        let id = RequestId::from_uuid(Default::default());
        let answer = self.service.answer(&parts, &body, id).await;
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let error = body["__type"].as_str().unwrap_or_default();
        (answer.status().as_u16(), error.to_owned())
    }

    /// Sends a request about a group.
    async fn group(&self, action: &str, name: &str) -> (u16, String) {
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
        let body = json!({"logGroupName": name}).to_string();
        signer.sign(&mut parts, body.as_bytes(), self.clock.now());
        self.answer(Request::from_parts(parts, body.into())).await
    }
}

#[tokio::test]
async fn a_request_without_a_signature_is_told_so_in_the_services_error_shape() {
    let world = World::new();
    let request = Request::post("/").header("x-amz-target", "Logs_20140328.DescribeLogGroups");
    let answer = world.answer(request.body(Bytes::new()).unwrap()).await;
    let missing = "MissingAuthenticationTokenException".to_owned();
    assert_eq!(answer, (400, missing));
}

#[tokio::test]
async fn log_groups_have_a_quota_and_making_one_does_not_read_the_others() {
    let world = World::new();
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
