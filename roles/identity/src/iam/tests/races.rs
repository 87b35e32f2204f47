//! Rules that span rows, under every order in which two requests' steps can come, as long as
//! they do not interrupt each other more than [`SWITCHES_MAX`] times.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use storage::memory::MemoryTable;
use storage::{Consistency, Error, Expect, Revision, Row, Table, Watch};

use super::{ALLOW, POLICY, TRUST, ask, done, iam, root};
use crate::iam::Iam;

/// A table whose every operation waits for one more poll, so that whoever polls decides in which
/// order the operations of several requests come.
pub(super) struct Stepping(pub(super) MemoryTable);

/// Pending once.
struct Step(bool);

impl Future for Step {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match std::mem::replace(&mut self.0, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

#[async_trait]
impl Table for Stepping {
    async fn get(&self, key: &str, consistency: Consistency) -> Result<Option<Row>, Error> {
        Step(false).await;
        self.0.get(key, consistency).await
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error> {
        Step(false).await;
        self.0.put(key, value, expect).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        Step(false).await;
        self.0.delete(key, expect).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        Step(false).await;
        self.0.list(prefix, after, limit).await
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        self.0.watch(prefix).await
    }
}

type Request<'r> = (&'r str, &'r [(&'r str, &'r str)]);

/// Runs something to its end.
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

/// Runs two requests in the order that `schedule` says, bit by bit: whether each was done. Steps
/// that were possible are counted.
fn interleaved(
    iam: &Iam,
    one: Request<'_>,
    other: Request<'_>,
    schedule: &mut Schedule,
) -> (bool, bool) {
    let caller = root();
    let mut futures = [
        Box::pin(ask(iam, &caller, one.0, one.1)),
        Box::pin(ask(iam, &caller, other.0, other.1)),
    ];
    let mut done = [None, None];
    let mut context = Context::from_waker(Waker::noop());
    while done.iter().any(Option::is_none) {
        let turn = match (&done[0], &done[1]) {
            (Some(_), None) => 1,
            (None, Some(_)) => 0,
            _ => schedule.choose(),
        };
        if let Poll::Ready(answer) = futures[turn].as_mut().poll(&mut context) {
            done[turn] = Some(answer.is_ok());
        }
    }
    (done[0].unwrap(), done[1].unwrap())
}

/// How often one request is interrupted for the other.
const SWITCHES_MAX: usize = 6;

/// All ways to go on with the one or to switch to the other, as a tree is walked.
#[derive(Default)]
struct Schedule {
    /// Whether to switch, at each step.
    switches: Vec<bool>,
    at: usize,
    turn: usize,
}

impl Schedule {
    /// Whose turn it is.
    fn choose(&mut self) -> usize {
        if self.at == self.switches.len() {
            self.switches.push(false);
        }
        if self.switches[self.at] {
            self.turn = 1 - self.turn;
        }
        self.at += 1;
        self.turn
    }

    /// The next way; `false` after the last.
    fn next(&mut self) -> bool {
        (self.at, self.turn) = (0, 0);
        while let Some(last) = self.switches.pop() {
            let before = self.switches.iter().filter(|switch| **switch).count();
            if !last && before < SWITCHES_MAX {
                self.switches.push(true);
                return true;
            }
        }
        false
    }
}

/// Runs `one` against `other` in every order. `check` is told who succeeded, and looks at what is
/// there then.
fn in_every_order(
    before: &[Request<'_>],
    one: Request<'_>,
    other: Request<'_>,
    check: impl Fn(&Iam, bool, bool),
) {
    let mut schedule = Schedule::default();
    let mut orders = 0;
    loop {
        let iam = iam(Arc::new(Stepping(MemoryTable::default())));
        for (action, parameters) in before {
            run(done(&iam, action, parameters));
        }
        let (first, second) = interleaved(&iam, one, other, &mut schedule);
        check(&iam, first, second);
        orders += 1;
        assert!(orders < 200_000, "too many orders to try them all");
        if !schedule.next() {
            break;
        }
    }
    assert!(orders > 50, "only {orders} orders");
}

const ROLE: Request<'_> = (
    "CreateRole",
    &[("RoleName", "r"), ("AssumeRolePolicyDocument", TRUST)],
);
const MAKE_POLICY: Request<'_> = (
    "CreatePolicy",
    &[("PolicyName", "p"), ("PolicyDocument", ALLOW)],
);
const ATTACH: Request<'_> = (
    "AttachRolePolicy",
    &[("RoleName", "r"), ("PolicyArn", POLICY)],
);
const DELETE_POLICY: Request<'_> = ("DeletePolicy", &[("PolicyArn", POLICY)]);

fn policy_is_there(iam: &Iam) -> bool {
    let policies = run(done(iam, "ListPolicies", &[("Scope", "Local")]));
    policies.contains(POLICY)
}

#[test]
fn a_policy_is_never_deleted_while_it_is_attached() {
    in_every_order(
        &[ROLE, MAKE_POLICY],
        ATTACH,
        DELETE_POLICY,
        |iam, attached, deleted| {
            assert!(attached != deleted, "{attached} {deleted}");
            let named = [("RoleName", "r")];
            let listed = run(done(iam, "ListAttachedRolePolicies", &named));
            assert_eq!(listed.contains(POLICY), attached);
            assert_eq!(policy_is_there(iam), attached);
            if deleted {
                // No reference is left that would give the role a new policy of that name.
                run(done(iam, MAKE_POLICY.0, MAKE_POLICY.1));
                let listed = run(done(iam, "ListAttachedRolePolicies", &named));
                assert!(!listed.contains(POLICY));
                run(done(iam, "DeleteRole", &named));
            }
        },
    );
}

#[test]
fn a_policy_is_never_deleted_while_it_limits_somebody() {
    let put: Request<'_> = (
        "PutRolePermissionsBoundary",
        &[("RoleName", "r"), ("PermissionsBoundary", POLICY)],
    );
    in_every_order(
        &[ROLE, MAKE_POLICY],
        put,
        DELETE_POLICY,
        |iam, put, deleted| {
            assert!(put != deleted);
            let role = run(done(iam, "GetRole", &[("RoleName", "r")]));
            assert_eq!(role.contains(POLICY), put);
            assert_eq!(policy_is_there(iam), put);
        },
    );
}

#[test]
fn nobody_is_made_under_a_boundary_that_goes() {
    let create: Request<'_> = (
        "CreateUser",
        &[("UserName", "u"), ("PermissionsBoundary", POLICY)],
    );
    in_every_order(
        &[MAKE_POLICY],
        create,
        DELETE_POLICY,
        |iam, made, deleted| {
            assert!(made != deleted);
            let users = run(done(iam, "ListUsers", &[]));
            assert_eq!(users.contains("<UserName>u</UserName>"), made);
        },
    );
}

#[test]
fn a_group_is_never_deleted_while_it_has_members() {
    let named = [("GroupName", "g")];
    let both = [("GroupName", "g"), ("UserName", "u")];
    in_every_order(
        &[
            ("CreateGroup", &named),
            ("CreateUser", &[("UserName", "u")]),
        ],
        ("AddUserToGroup", &both),
        ("DeleteGroup", &named),
        |iam, added, deleted| {
            assert!(added != deleted);
            let groups = run(done(iam, "ListGroupsForUser", &[("UserName", "u")]));
            assert_eq!(groups.contains("<GroupName>g</GroupName>"), added);
            run(done(iam, "CreateUser", &[("UserName", "v")]));
        },
    );
}

#[test]
fn of_two_changes_neither_is_lost() {
    let read = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let other = [("RoleName", "r"), ("PolicyArn", read)];
    in_every_order(
        &[ROLE, MAKE_POLICY],
        ATTACH,
        ("AttachRolePolicy", &other),
        |iam, one, two| {
            assert!(one && two);
            let listed = run(done(iam, "ListAttachedRolePolicies", &[("RoleName", "r")]));
            assert!(listed.contains(POLICY) && listed.contains(read));
        },
    );
    let version = [("PolicyArn", POLICY), ("PolicyDocument", ALLOW)];
    let create: Request<'_> = ("CreatePolicyVersion", &version);
    in_every_order(&[MAKE_POLICY], create, create, |iam, one, two| {
        assert!(one && two);
        let listed = run(done(iam, "ListPolicyVersions", &[("PolicyArn", POLICY)]));
        for id in ["v1", "v2", "v3"] {
            assert!(listed.contains(&format!("<VersionId>{id}</VersionId>")));
        }
    });
}

#[test]
fn a_role_is_not_deleted_over_a_policy_that_it_is_given() {
    let delete: Request<'_> = ("DeleteRole", &[("RoleName", "r")]);
    in_every_order(
        &[ROLE, MAKE_POLICY],
        ATTACH,
        delete,
        |iam, attached, deleted| {
            // Attached first, or deleted first; an attachment that was acknowledged stays.
            assert!(attached != deleted);
            let roles = run(done(iam, "ListRoles", &[]));
            assert_eq!(roles.contains("<RoleName>r</RoleName>"), attached);
        },
    );
}

const USER: Request<'_> = ("CreateUser", &[("UserName", "u")]);
const RENAME: Request<'_> = ("UpdateUser", &[("UserName", "u"), ("NewUserName", "v")]);

/// The names of users.
fn users(iam: &Iam) -> Vec<String> {
    let listed = run(done(iam, "ListUsers", &[]));
    let names = listed.split("<UserName>").skip(1);
    let names = names.map(|rest| rest.split('<').next().unwrap().to_owned());
    names.collect()
}

#[test]
fn a_user_has_one_name_whatever_happens_meanwhile() {
    let delete: Request<'_> = ("DeleteUser", &[("UserName", "u")]);
    in_every_order(&[USER], RENAME, delete, |iam, renamed, deleted| {
        assert!(renamed != deleted);
        let expected: &[&str] = if renamed { &["v"] } else { &[] };
        assert_eq!(users(iam), expected);
        run(done(iam, USER.0, USER.1));
    });
    let create: Request<'_> = ("CreateUser", &[("UserName", "v")]);
    in_every_order(&[USER], RENAME, create, |iam, renamed, created| {
        let expected: &[&str] = match (renamed, created) {
            (true, true) => panic!("two have one name"),
            (true, false) => &["v"],
            (false, true) => &["u", "v"],
            // Each kept the other from it until both gave up.
            (false, false) => &["u"],
        };
        assert_eq!(users(iam), expected);
    });
    let policy = [
        ("UserName", "u"),
        ("PolicyName", "p"),
        ("PolicyDocument", ALLOW),
    ];
    let put: Request<'_> = ("PutUserPolicy", &policy);
    in_every_order(&[USER], RENAME, put, |iam, renamed, put| {
        assert!(renamed);
        assert_eq!(users(iam), ["v"]);
        let policies = run(done(iam, "ListUserPolicies", &[("UserName", "v")]));
        assert_eq!(policies.contains("<member>p</member>"), put);
    });
    let other: Request<'_> = ("UpdateUser", &[("UserName", "u"), ("NewUserName", "w")]);
    in_every_order(&[USER], RENAME, other, |iam, one, two| {
        assert!(one || two);
        assert_eq!(users(iam).len(), 1);
    });
}

#[test]
fn a_rename_that_is_cut_off_anywhere_leaves_one_name_and_both_usable() {
    let caller = root();
    let mut context = Context::from_waker(Waker::noop());
    let (mut before, mut after) = (0, 0);
    for polls in 0..40 {
        let iam = iam(Arc::new(Stepping(MemoryTable::default())));
        run(done(&iam, USER.0, USER.1));
        run(done(&iam, "CreateAccessKey", &[("UserName", "u")]));
        let mut cut_off = Box::pin(ask(&iam, &caller, RENAME.0, RENAME.1));
        let ended = (0..polls).any(|_| cut_off.as_mut().poll(&mut context).is_ready());
        drop(cut_off);
        let now = users(&iam);
        let (there, free) = match now.as_slice() {
            [name] if name == "u" => ("u", "v"),
            [name] if name == "v" => ("v", "u"),
            other => panic!("after {polls} steps: {other:?}"),
        };
        if there == "u" {
            before += 1;
        } else {
            after += 1;
        }
        let keys = run(done(&iam, "ListAccessKeys", &[("UserName", there)]));
        assert!(keys.contains("AKIA"));
        // What it left neither takes a name nor brings anybody back.
        run(done(&iam, "CreateUser", &[("UserName", free)]));
        assert_eq!(users(&iam), ["u", "v"]);
        run(done(&iam, "DeleteUser", &[("UserName", free)]));
        let back = [("UserName", there), ("NewUserName", free)];
        run(done(&iam, "UpdateUser", &back));
        assert_eq!(users(&iam), [free]);
        if ended {
            break;
        }
    }
    assert!(before > 3 && after > 3, "{before} {after}");
}

#[test]
fn a_renamed_group_keeps_its_members() {
    let named = [("GroupName", "g")];
    let both = [("GroupName", "g"), ("UserName", "u")];
    let rename = [("GroupName", "g"), ("NewGroupName", "h")];
    let rename: Request<'_> = ("UpdateGroup", &rename);
    let before = [("CreateGroup", &named[..]), USER];
    in_every_order(
        &before,
        ("AddUserToGroup", &both),
        rename,
        |iam, added, renamed| {
            assert!(renamed);
            let groups = run(done(iam, "ListGroupsForUser", &[("UserName", "u")]));
            assert_eq!(groups.contains("<GroupName>h</GroupName>"), added);
            let deleted = run(async {
                let deleted = ask(iam, &root(), "DeleteGroup", &[("GroupName", "h")]).await;
                deleted.is_ok().to_string()
            });
            assert_eq!(deleted, (!added).to_string());
        },
    );
}
