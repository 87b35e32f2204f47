//! Users and groups that are renamed, under every order in which two requests' steps can happen.

use std::future::Future as _;
use std::sync::Arc;
use std::task::{Context, Waker};

use storage::memory::MemoryTable;

use super::orders::{Request, Stepping, in_every_order, run};
use super::{ALLOW, ask, done, iam, root};
use crate::iam::Iam;

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
            // Each prevented the other until both gave up.
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
        // What it left neither takes a name nor restores an entity.
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
