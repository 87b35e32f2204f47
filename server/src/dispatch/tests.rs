//! To whom requests go, and what is around their answers.

use std::sync::Arc;

use api::preparation::{Error, Preparation, Prepare};
use async_trait::async_trait;
use authn::{Authenticator, Regions};
use bytes::Bytes;
use control::{Control, NoPackages, REQUEST_BYTES_MAX};
use http::{Request, Response};
use identity::examples::{root, roots};
use identity::{Keys, UnknownRoles};
use image::Packages;
use keyring::Keyring;
use logs::LogStore;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use storage::Boundless;
use storage::memory::{MemoryBlobs, MemoryTable};
use types::{Clock as _, ManualClock, Region, SystemRandom, Timestamp};

use super::{Dispatch, Operations as _};

const FUNCTIONS: &str = "/2015-03-31/functions";

/// No worker is there.
struct Nowhere;

#[async_trait]
impl Preparation for Nowhere {
    async fn prepare(&self, _: Prepare) -> Result<(), Error> {
        Err(Error::Unavailable)
    }
}

struct World {
    dispatch: Dispatch,
    registry: Registry,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_769_854_830_123)));
        let (table, random) = (Arc::new(MemoryTable::default()), Arc::new(SystemRandom));
        let folder = tempfile::tempdir().unwrap();
        let keyring = Arc::new(Keyring::from_bytes([7; 32]));
        let keys = Keys::new(
            roots(),
            &UnknownRoles::default(),
            &keyring,
            table.clone(),
            clock.clone(),
            random.clone(),
        );
        let keys = Arc::new(keys.unwrap());
        let authenticator = Arc::new(Authenticator::new(keys.clone(), clock.clone()));
        let code = Arc::new(Packages::new(Arc::new(MemoryBlobs::default())));
        let placement = placement::Service::new(
            placement::Config::default(),
            clock.clone(),
            random.clone(),
            placement::Metrics::new(&mut Registry::default()),
        );
        let (control, _settler) = Control::new(control::Dependencies {
            table: table.clone(),
            code,
            preparation: Arc::new(Nowhere),
            placement: Arc::new(placement),
            drains: None,
            packages: Arc::new(NoPackages),
            authenticator: Arc::clone(&authenticator),
            roles: keys.clone(),
            keyring: Arc::clone(&keyring),
            clock: clock.clone(),
            random: random.clone(),
            config: control::Config::default(),
        });
        let identity = identity::Service::new(identity::Dependencies {
            table: table.clone(),
            identities: keys,
            authenticator: Arc::clone(&authenticator),
            keyring,
            clock: clock.clone(),
            random: random.clone(),
        });
        let bounds = logs::Bounds::default();
        let store = LogStore::open(folder.path().join("logs"), bounds, Arc::new(Boundless));
        let config = logs::Config {
            regions: Regions::from_iter([Region::new("us-east-1").unwrap()]),
            retention_days: None,
        };
        let dependencies = logs::Dependencies {
            table,
            store: Arc::new(store.unwrap()),
            authenticator,
            clock: clock.clone(),
        };
        let (logs, _keeper) = logs::Service::new(config, dependencies);
        let mut registry = Registry::default();
        Self {
            dispatch: Dispatch::new(Arc::new(control), identity, logs, random, &mut registry),
            registry,
            clock,
            _folder: folder,
        }
    }

    async fn send(&self, request: Request<Bytes>) -> (u16, String) {
        let size = request.body().len();
        text(self.dispatch.handle(request, size).await)
    }

    /// Sends a request that the account's own key signs for a service.
    fn signed(&self, service: &str, request: Request<Bytes>) -> Request<Bytes> {
        let (mut parts, body) = request.into_parts();
        let host = "localhost:9100".parse().unwrap();
        parts.headers.insert("host", host);
        let root = root();
        root.signer(service)
            .sign(&mut parts, &body, self.clock.now());
        Request::from_parts(parts, body)
    }
}

/// The status of an answer, which tells its id; and the error's code, where a header has it, before the body.
fn text(answer: Response<Bytes>) -> (u16, String) {
    let header = |name| {
        answer
            .headers()
            .get(name)
            .map(|text| text.to_str().unwrap())
    };
    assert!(header("x-amzn-requestid").is_some());
    let code = header("x-amzn-errortype").unwrap_or_default();
    let body = std::str::from_utf8(answer.body()).unwrap();
    (answer.status().as_u16(), format!("{code} {body}"))
}

fn post(uri: &str, header: (&str, &str), body: &str) -> Request<Bytes> {
    let request = Request::post(uri).header(header.0, header.1);
    request.body(Bytes::from(body.to_owned())).unwrap()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PLAIN: (&str, &str) = ("accept", "*/*");
const DESCRIBE: (&str, &str) = ("x-amz-target", "Logs_20140328.DescribeLogGroups");

#[tokio::test]
async fn each_service_answers_and_counts_its_own() {
    let world = World::new();
    for (uri, header, status, error) in [
        ("/", FORM, 403, "<Code>MissingAuthenticationToken</Code>"),
        (
            "/",
            DESCRIBE,
            400,
            r#"{"__type":"MissingAuthenticationTokenException""#,
        ),
        (
            FUNCTIONS,
            PLAIN,
            403,
            r#"MissingAuthenticationTokenException {"message":"#,
        ),
    ] {
        let (found, text) = world.send(post(uri, header, "")).await;
        assert_eq!(found, status, "{text}");
        assert!(text.contains(error), "{text}");
    }
    let user = post("/", FORM, "Action=CreateUser&UserName=ann");
    let (status, text) = world.send(world.signed("iam", user)).await;
    assert_eq!(status, 200, "{text}");
    let groups = post("/", DESCRIBE, "{}");
    let (status, text) = world.send(world.signed("logs", groups)).await;
    assert_eq!(status, 200, "{text}");
    // A path of Lambent's own says by itself whose it is.
    let stacks = post("/lambent/stacks", PLAIN, "");
    let (status, text) = world.send(world.signed("logs", stacks)).await;
    assert_eq!(status, 403, "{text}");
    assert!(!text.contains("__type"), "{text}");
    let mut metrics = String::new();
    encode(&mut metrics, &world.registry).unwrap();
    for line in [
        "identity_answers_total{status=\"200\"} 1",
        "identity_answers_total{status=\"403\"} 1",
        "logs_answers_total{status=\"200\"} 1",
        "logs_answers_total{status=\"400\"} 1",
        "control_answers_total{status=\"403\"} 2",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn what_has_begun_is_carried_out_when_its_caller_goes_away() {
    let world = World::new();
    let create = post("/", FORM, "Action=CreateUser&UserName=ann");
    let create = world.signed("iam", create);
    let mut asked = Box::pin(world.send(create));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(asked.as_mut().poll(&mut context).is_pending());
    drop(asked);
    world.dispatch.drain().await;
    let get = post("/", FORM, "Action=GetUser&UserName=ann");
    let (status, text) = world.send(world.signed("iam", get)).await;
    assert_eq!(status, 200, "{text}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_as_that_whether_or_not_all_of_it_came() {
    let world = World::new();
    for (uri, header, status, error) in [
        (FUNCTIONS, PLAIN, 413, "RequestEntityTooLargeException {"),
        ("/", FORM, 413, "<Code>RequestEntityTooLarge</Code>"),
        (
            "/",
            DESCRIBE,
            400,
            "\"__type\":\"RequestEntityTooLargeException\"",
        ),
    ] {
        let request = post(uri, header, "");
        let answer = world.dispatch.handle(request, REQUEST_BYTES_MAX + 1).await;
        let (found, text) = text(answer);
        assert_eq!(found, status, "{text}");
        let words = "Request must be smaller than 70167211 bytes for the CreateFunction operation";
        assert!(text.contains(words) && text.contains(error), "{text}");
    }
}

#[tokio::test]
async fn services_that_are_not_here_are_told_so_in_their_own_format() {
    let world = World::new();
    for (service, path, header, expected) in [
        (
            "s3",
            "/bucket/key",
            PLAIN,
            "<Error><Code>NotImplemented</Code>",
        ),
        ("cloudformation", "/", FORM, "<Code>NotImplemented</Code>"),
        (
            "dynamodb",
            "/",
            ("x-amz-target", "DynamoDB_20120810.ListTables"),
            r#""__type":"NotImplementedException""#,
        ),
        (
            "apigateway",
            "/restapis",
            PLAIN,
            r#""message":"Lambent is not apigateway: "#,
        ),
    ] {
        let request = world.signed(service, post(path, header, ""));
        let (status, text) = world.send(request).await;
        assert_eq!(status, 501, "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
