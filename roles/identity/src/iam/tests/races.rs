//! Rules that span rows, under every order in which two requests' steps can happen.

use super::orders::{Request, in_every_order, run};
use super::{ALLOW, POLICY, TRUST, done};
use crate::iam::Iam;

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
