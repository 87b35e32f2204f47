//! A whole control plane in memory, and a client that signs.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use api::credentials::{Credentials, RoleCredentials as _};
use api::preparation::{self, Preparation, Prepare};
use async_trait::async_trait;
use authn::{Authenticator, Regions};
use base64::Engine as _;
use bytes::Bytes;
use faulty::{Faults, Faulty};
use http::{Method, Request, Response};
use identity::examples::{Client, roots};
use identity::{Keys, UnknownRoles};
use image::{Folders, Packages};
use keyring::Keyring;
use serde_json::{Value, json};
use storage::Table;
use storage::memory::{MemoryBlobs, MemoryTable};
use tokio::task::JoinHandle;
use types::{Clock as _, FunctionArn, ManualClock, RequestId, SystemRandom, Timestamp};
use wire::sigv4::Signer;

use super::placed::Workers;
use crate::{Config, Control, Dependencies, Rates, Settler};

/// Unpacks in this process.
struct Unpacking(Folders);

#[async_trait]
impl Preparation for Unpacking {
    async fn prepare(&self, request: Prepare) -> Result<(), preparation::Error> {
        for package in &request.packages {
            let unpacked = self.0.folder(&request.account, package).await;
            unpacked.map_err(|error| match error {
                image::Error::Damaged => preparation::Error::Damaged,
                error => preparation::Error::Failed {
                    reason: types::Inner::of(&error),
                },
            })?;
        }
        Ok(())
    }
}

pub(super) const ROLE: &str = "arn:aws:iam::000000000000:role/worker";
pub(super) const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

pub(super) struct World {
    pub(super) control: Arc<Control>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) keys: Arc<Keys>,
    /// Calls IAM and STS of the same accounts.
    pub(super) client: Client,
    pub(super) table: Arc<MemoryTable>,
    pub(super) blobs: Arc<MemoryBlobs>,
    pub(super) code: Arc<Packages>,
    settler: Option<JoinHandle<()>>,
    _cache: tempfile::TempDir,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) error: String,
    pub(super) body: Value,
    pub(super) raw: Response<Bytes>,
}

impl World {
    pub(super) fn new() -> Self {
        let (mut world, settler) = Self::unsettled(Config::default());
        world.settler = Some(tokio::spawn(settler.run()));
        world
    }

    /// A world in which sessions of roles may do these actions.
    pub(super) fn where_roles_may(actions: &[&str]) -> (Self, Settler) {
        let actions: Vec<String> = actions.iter().map(|text| (*text).to_owned()).collect();
        let (table, blobs) = (Arc::default(), Arc::default());
        let cache = tempfile::tempdir().unwrap();
        Self::with_role_actions(Config::default(), &actions, table, blobs, cache, 0)
    }

    /// A world in which nothing is settled until the settler is run.
    pub(super) fn unsettled(config: Config) -> (Self, Settler) {
        let (table, blobs) = (
            Arc::new(MemoryTable::default()),
            Arc::new(MemoryBlobs::default()),
        );
        let cache = tempfile::tempdir().unwrap();
        Self::over(config, table, blobs, cache)
    }

    pub(super) fn over(
        config: Config,
        table: Arc<MemoryTable>,
        blobs: Arc<MemoryBlobs>,
        cache: tempfile::TempDir,
    ) -> (Self, Settler) {
        Self::with_role_actions(config, &[], table, blobs, cache, 0)
    }

    /// One of several control planes over the same stores, each behind a network of its own.
    pub(super) fn behind(
        network: Arc<Faults>,
        table: Arc<MemoryTable>,
        blobs: Arc<MemoryBlobs>,
    ) -> (Self, Settler) {
        let cache = tempfile::tempdir().unwrap();
        let far = Arc::new(Faulty::new(Arc::clone(&table), network));
        let drains = Some(membership::Drains::new(Arc::clone(&table) as Arc<dyn Table>));
        let config = Config::default();
        Self::build(config, &[], (table, far, drains), blobs, cache, 0)
    }

    /// A world in which there is never room to unpack a package.
    pub(super) fn without_room() -> (Self, Settler) {
        let (table, blobs) = (Arc::default(), Arc::default());
        let cache = tempfile::tempdir().unwrap();
        Self::with_role_actions(Config::default(), &[], table, blobs, cache, u64::MAX)
    }

    fn with_role_actions(
        config: Config,
        role_actions: &[String],
        table: Arc<MemoryTable>,
        blobs: Arc<MemoryBlobs>,
        cache: tempfile::TempDir,
        reserve: u64,
    ) -> (Self, Settler) {
        let near = Arc::clone(&table);
        let tables = (table, near as Arc<dyn Table>, None);
        Self::build(config, role_actions, tables, blobs, cache, reserve)
    }

    fn build(
        config: Config,
        role_actions: &[String],
        (table, seen, drains): (Arc<MemoryTable>, Arc<dyn Table>, Option<membership::Drains>),
        blobs: Arc<MemoryBlobs>,
        cache: tempfile::TempDir,
        reserve: u64,
    ) -> (Self, Settler) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_769_854_830_123)));
        // The clock does not move, so what the rates allowed would never come back.
        let rates = Rates {
            get_function: u32::MAX,
            get_policy: u32::MAX,
            others: u32::MAX,
        };
        let region = |name: &str| types::Region::new(name).unwrap();
        let config = Config {
            rates,
            regions: Regions::from_iter(["us-east-1", "us-west-2"].map(region)),
            ..config
        };
        let keyring = Arc::new(Keyring::from_bytes([7; 32]));
        let random = Arc::new(SystemRandom);
        let keys = Keys::new(
            roots(),
            &UnknownRoles {
                actions: role_actions.to_vec(),
                ..UnknownRoles::default()
            },
            &keyring,
            table.clone(),
            clock.clone(),
            random.clone(),
        );
        let keys = Arc::new(keys.unwrap());
        let code = Arc::new(Packages::new(blobs.clone()));
        let folders = Folders::open(
            Arc::clone(&code),
            cache.path().join("images"),
            Arc::new(image::Unconfined),
            reserve,
            u64::MAX,
        );
        let preparation = Arc::new(Unpacking(folders.unwrap()));
        let authenticator = Arc::new(Authenticator::new(keys.clone(), clock.clone()));
        let (control, settler) = Control::new(Dependencies {
            table: seen,
            code: Arc::clone(&code),
            preparation,
            placement: Arc::new(Workers),
            drains,
            packages: Arc::new(crate::NoPackages),
            authenticator: Arc::clone(&authenticator),
            roles: keys.clone(),
            keyring: Arc::clone(&keyring),
            clock: clock.clone(),
            random: random.clone(),
            config,
        });
        let service = identity::Service::new(identity::Dependencies {
            table: table.clone(),
            identities: keys.clone(),
            authenticator,
            keyring,
            clock: clock.clone(),
            random,
        });
        let client = Client {
            service,
            clock: clock.clone(),
        };
        let world = Self {
            control: Arc::new(control),
            clock,
            keys,
            client,
            table,
            blobs,
            code,
            settler: None,
            _cache: cache,
        };
        (world, settler)
    }

    pub(super) async fn call(&self, method: &str, target: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(
            &signer("AKIATEST", "secret"),
            method,
            target,
            body.as_bytes(),
        )
        .await
    }

    pub(super) async fn get(&self, target: &str) -> Answer {
        self.call("GET", target, Value::Null).await
    }

    pub(super) async fn send(
        &self,
        signer: &Signer<'_>,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Answer {
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(target)
            .header("host", "localhost:9100");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        signer.sign(&mut parts, body, self.clock.now());
        self.answer(Request::from_parts(parts, Bytes::copy_from_slice(body)))
            .await
    }

    pub(super) async fn answer(&self, request: Request<Bytes>) -> Answer {
        let (parts, body) = request.into_parts();
        let id = RequestId::from_uuid(Default::default());
        let raw = self.control.answer(&parts, &body, id).await;
        let error = raw.headers().get("x-amzn-errortype");
        Answer {
            status: raw.status().as_u16(),
            error: error
                .map(|code| code.to_str().unwrap().to_owned())
                .unwrap_or_default(),
            body: serde_json::from_slice(raw.body()).unwrap_or(Value::Null),
            raw,
        }
    }

    /// Makes the function `f` and waits until it is active.
    pub(super) async fn with_function() -> Self {
        let world = Self::new();
        let created = world.call("POST", FUNCTIONS, create("f")).await;
        assert_eq!(
            (created.status, created.error.as_str()),
            (201, ""),
            "{}",
            created.body
        );
        world.wait("f", "State", "Active").await;
        world
    }

    /// Waits until a member of the function's configuration has this value.
    pub(super) async fn wait(&self, name: &str, member: &str, expected: &str) -> Value {
        for _ in 0..2_000 {
            let found = self
                .get(&format!("{FUNCTIONS}/{name}/configuration"))
                .await
                .body;
            if found[member] == expected {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{name} never had {member} {expected}");
    }

    /// Waits until an update is settled.
    pub(super) async fn settled(&self) -> Value {
        self.wait("f", "LastUpdateStatus", "Successful").await
    }

    pub(super) async fn role_keys(&self) -> Credentials {
        let arn = FunctionArn {
            scope: super::function("f").scope,
            name: types::FunctionName::new("f").unwrap(),
            qualifier: None,
        };
        self.keys.for_function(ROLE, &arn).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(settler) = self.settler.take() {
            settler.abort();
        }
    }
}

impl Answer {
    /// The message of a refusal, however its member is written.
    pub(super) fn message(&self) -> &str {
        let message = self
            .body
            .get("message")
            .or_else(|| self.body.get("Message"));
        message.and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn refused(&self, status: u16, error: &str, message: &str) {
        assert_eq!(
            (self.status, self.error.as_str()),
            (status, error),
            "{}",
            self.body
        );
        assert!(
            self.message().contains(message),
            "{:?}, not {message:?}",
            self.message()
        );
    }
}

pub(super) const FUNCTIONS: &str = "/2015-03-31/functions";

pub(super) fn signer<'k>(access_key_id: &'k str, secret: &'k str) -> Signer<'k> {
    Signer {
        access_key_id,
        secret,
        session_token: None,
        region: "us-east-1",
        service: "lambda",
    }
}

pub(super) fn zip(content: &str) -> String {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = zip::ZipWriter::new(&mut bytes);
    writer
        .start_file("a.py", zip::write::SimpleFileOptions::default())
        .unwrap();
    writer.write_all(content.as_bytes()).unwrap();
    writer.finish().unwrap();
    base64::engine::general_purpose::STANDARD.encode(bytes.into_inner())
}

pub(super) fn create(name: &str) -> Value {
    json!({
        "FunctionName": name,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "a.b",
        "Code": { "ZipFile": zip("one") },
    })
}

/// `create` with members added or, where null, removed.
pub(super) fn create_with(members: Value) -> Value {
    let mut body = create("f");
    for (key, value) in members.as_object().unwrap() {
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().remove(key)),
            value => body[key] = value.clone(),
        }
    }
    body
}
