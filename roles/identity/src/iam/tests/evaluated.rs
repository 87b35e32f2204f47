//! What users may do by what is stored: the other side of the same rows.

use std::sync::Arc;
use std::task::{Context, Waker};

use authn::identity::Identities;
use bytes::Bytes;
use policy::{Question, decide};
use storage::memory::MemoryTable;
use storage::{Expect, Table};

use super::orders::{Stepping, run};
use super::{ALLOW, POLICY, ask, done, iam_and_keys, root};
use crate::Keys;
use crate::iam::Iam;

struct World {
    table: Arc<MemoryTable>,
    iam: Iam,
    keys: Arc<Keys>,
    /// Id of a key of the user `u`.
    key: String,
}

impl World {
    async fn new() -> Self {
        let table = Arc::new(MemoryTable::default());
        let (iam, keys) = iam_and_keys(table.clone());
        done(&iam, "CreateUser", &[("UserName", "u")]).await;
        let key = made_key(&iam).await;
        Self {
            table,
            iam,
            keys,
            key,
        }
    }

    async fn done(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        done(&self.iam, action, parameters).await
    }

    async fn may(&self, action: &str) -> bool {
        may(&self.keys, &self.key, action).await == Some(true)
    }

    /// Writes something that is not a valid row.
    async fn damage(&self, row: &str) {
        let written = self
            .table
            .put(row, Bytes::from_static(b"{"), Expect::Any)
            .await;
        written.unwrap();
    }
}

async fn made_key(iam: &Iam) -> String {
    let key = done(iam, "CreateAccessKey", &[("UserName", "u")]).await;
    let (_, id) = key.split_once("<AccessKeyId>").unwrap();
    id.split('<').next().unwrap().to_owned()
}

/// Whether the owner of that key may do that; `None` if nobody has it.
async fn may(keys: &Keys, key: &str, action: &str) -> Option<bool> {
    let found = keys.access_key(key, None).await.ok()?;
    let question = Question {
        caller: found.principal.caller(),
        permissions: &found.permissions,
        action,
        resource: "*",
        owner: "000000000000",
        policy: None,
        trust: false,
        context: &policy::Context::new(),
    };
    Some(decide(&question).is_ok())
}

const DENY: &str =
    r#"{"Statement":{"Effect":"Deny","Action":"lambda:GetFunction","Resource":"*"}}"#;

#[tokio::test]
async fn members_may_what_their_groups_may_and_no_longer() {
    let world = World::new().await;
    let both = [("GroupName", "g"), ("UserName", "u")];
    let policy = [
        ("GroupName", "g"),
        ("PolicyName", "p"),
        ("PolicyDocument", ALLOW),
    ];
    world.done("CreateGroup", &[("GroupName", "g")]).await;
    world.done("PutGroupPolicy", &policy).await;
    assert!(!world.may("lambda:GetFunction").await);
    world.done("AddUserToGroup", &both).await;
    assert!(world.may("lambda:GetFunction").await);
    let deny = [
        ("GroupName", "g"),
        ("PolicyName", "q"),
        ("PolicyDocument", DENY),
    ];
    world.done("PutGroupPolicy", &deny).await;
    assert!(!world.may("lambda:GetFunction").await);
    assert!(world.may("lambda:ListFunctions").await);
    let renamed = [("GroupName", "g"), ("NewGroupName", "h")];
    world.done("UpdateGroup", &renamed).await;
    assert!(world.may("lambda:ListFunctions").await);
    assert!(!world.may("lambda:GetFunction").await);
    // What can no longer be read may have been a denial.
    world.damage("iam/group/000000000000/h").await;
    assert!(!world.may("lambda:ListFunctions").await);
}

#[tokio::test]
async fn a_managed_policy_of_the_same_name_is_another() {
    let world = World::new().await;
    let made = [("PolicyName", "p"), ("PolicyDocument", ALLOW)];
    let attach = [("UserName", "u"), ("PolicyArn", POLICY)];
    world.done("CreatePolicy", &made).await;
    world.done("AttachUserPolicy", &attach).await;
    assert!(world.may("lambda:GetFunction").await);
    // As if an attachment had been interrupted and its policy deleted.
    let row = "iam/policy/000000000000/p";
    world.table.delete(row, Expect::Any).await.unwrap();
    assert!(!world.may("lambda:GetFunction").await);
    world.done("CreatePolicy", &made).await;
    assert!(!world.may("lambda:GetFunction").await);
    world.done("AttachUserPolicy", &attach).await;
    assert!(world.may("lambda:GetFunction").await);
    world.damage(row).await;
    assert!(!world.may("lambda:GetFunction").await);
    let everything = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attach = [("UserName", "u"), ("PolicyArn", everything)];
    let refused = ask(&world.iam, &root(), "AttachUserPolicy", &attach).await;
    assert!(refused.is_ok());
    assert!(!world.may("lambda:GetFunction").await, "it may have denied");
}

#[tokio::test]
async fn a_boundary_that_is_gone_allows_nothing() {
    let world = World::new().await;
    let policy = [
        ("UserName", "u"),
        ("PolicyName", "p"),
        ("PolicyDocument", ALLOW),
    ];
    world.done("PutUserPolicy", &policy).await;
    let made = [("PolicyName", "p"), ("PolicyDocument", ALLOW)];
    world.done("CreatePolicy", &made).await;
    let put = [("UserName", "u"), ("PermissionsBoundary", POLICY)];
    world.done("PutUserPermissionsBoundary", &put).await;
    assert!(world.may("lambda:GetFunction").await);
    let row = "iam/policy/000000000000/p";
    world.table.delete(row, Expect::Any).await.unwrap();
    assert!(!world.may("lambda:GetFunction").await);
    let named = [("UserName", "u")];
    world.done("DeleteUserPermissionsBoundary", &named).await;
    assert!(world.may("lambda:GetFunction").await);
}

#[test]
fn a_key_is_good_at_every_step_of_a_rename() {
    for polls in 0..40 {
        let table = Arc::new(Stepping(MemoryTable::default()));
        let (iam, keys) = iam_and_keys(table);
        run(done(&iam, "CreateUser", &[("UserName", "u")]));
        let key = run(made_key(&iam));
        let policy = [
            ("UserName", "u"),
            ("PolicyName", "p"),
            ("PolicyDocument", ALLOW),
        ];
        run(done(&iam, "PutUserPolicy", &policy));
        let caller = root();
        let rename = [("UserName", "u"), ("NewUserName", "v")];
        let mut cut_off = Box::pin(ask(&iam, &caller, "UpdateUser", &rename));
        let mut context = Context::from_waker(Waker::noop());
        let mut ended = false;
        for _ in 0..polls {
            ended = ended || cut_off.as_mut().poll(&mut context).is_ready();
            let allowed = run(may(&keys, &key, "lambda:GetFunction"));
            assert_eq!(allowed, Some(true), "{polls}");
            if ended {
                break;
            }
        }
        drop(cut_off);
        let renamed = run(ask(&iam, &caller, "GetUser", &[("UserName", "v")])).is_ok();
        let name = if renamed { "v" } else { "u" };
        // Its permissions are what the valid row says.
        let gone = [("UserName", name), ("PolicyName", "p")];
        run(done(&iam, "DeleteUserPolicy", &gone));
        assert_eq!(run(may(&keys, &key, "lambda:GetFunction")), Some(false));
        let deleted = [("UserName", name), ("AccessKeyId", key.as_str())];
        run(done(&iam, "DeleteAccessKey", &deleted));
        assert_eq!(run(may(&keys, &key, "lambda:GetFunction")), None);
        if ended {
            return;
        }
    }
    panic!("the rename never ended");
}

#[tokio::test]
async fn the_last_use_of_a_key_is_told() {
    let world = World::new().await;
    let id = [("AccessKeyId", world.key.as_str())];
    let never = world.done("GetAccessKeyLastUsed", &id).await;
    assert!(never.contains("<ServiceName>N/A</ServiceName><Region>N/A</Region>"));
    assert!(never.contains("<UserName>u</UserName>") && !never.contains("LastUsedDate"));
    world.keys.note_use(&world.key, "lambda", "eu-west-1");
    let told = world.done("GetAccessKeyLastUsed", &id).await;
    let last = "<LastUsedDate>2026-01-31T10:20:30Z</LastUsedDate><ServiceName>lambda</ServiceName>\
                <Region>eu-west-1</Region>";
    assert!(told.contains(last), "{told}");
    let again = world.done("GetAccessKeyLastUsed", &id).await;
    assert!(again.contains(last), "it is written down");
    let delete = [("UserName", "u"), ("AccessKeyId", world.key.as_str())];
    world.done("DeleteAccessKey", &delete).await;
    let gone = ask(&world.iam, &root(), "GetAccessKeyLastUsed", &id).await;
    assert_eq!(gone.unwrap_err().code, "AccessDenied");
    assert!(
        world
            .table
            .list("iam-use/", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}
