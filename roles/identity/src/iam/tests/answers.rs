//! What operations answer and refuse, one request after the other.

use std::sync::Arc;

use storage::memory::MemoryTable;

use super::{ALLOW, POLICY, TRUST, ann, ask, done, iam, refused};
use crate::iam::Iam;

fn fresh() -> Iam {
    iam(Arc::new(MemoryTable::default()))
}

#[tokio::test]
async fn a_managed_policys_life() {
    let iam = fresh();
    let named = [("PolicyArn", POLICY)];
    let made = [("PolicyName", "p"), ("PolicyDocument", ALLOW)];
    let answer = done(&iam, "CreatePolicy", &made).await;
    assert!(answer.contains("<Arn>arn:aws:iam::000000000000:policy/p</Arn>"));
    let again = refused(&iam, "CreatePolicy", &made).await;
    assert_eq!(again.0, "EntityAlreadyExists");
    for _ in 0..4 {
        let version = [("PolicyArn", POLICY), ("PolicyDocument", ALLOW)];
        done(&iam, "CreatePolicyVersion", &version).await;
    }
    let sixth = [("PolicyArn", POLICY), ("PolicyDocument", ALLOW)];
    let sixth = refused(&iam, "CreatePolicyVersion", &sixth).await;
    assert_eq!(sixth.0, "LimitExceeded");
    let default = refused(
        &iam,
        "DeletePolicyVersion",
        &[("PolicyArn", POLICY), ("VersionId", "v1")],
    );
    assert_eq!(default.await.0, "DeleteConflict");
    let several = refused(&iam, "DeletePolicy", &named).await;
    assert!(several.1.contains("more than one version"));
    let second = [("PolicyArn", POLICY), ("VersionId", "v2")];
    done(&iam, "SetDefaultPolicyVersion", &second).await;
    for id in ["v1", "v3", "v4", "v5"] {
        let version = [("PolicyArn", POLICY), ("VersionId", id)];
        done(&iam, "DeletePolicyVersion", &version).await;
        let gone = refused(&iam, "GetPolicyVersion", &version).await;
        assert_eq!(gone.0, "NoSuchEntity");
    }
    // Numbers are never used again.
    let version = [
        ("PolicyArn", POLICY),
        ("PolicyDocument", ALLOW),
        ("SetAsDefault", "true"),
    ];
    let sixth = done(&iam, "CreatePolicyVersion", &version).await;
    assert!(sixth.contains("<VersionId>v6</VersionId><IsDefaultVersion>true"));
    done(&iam, "DeletePolicyVersion", &second).await;
    done(&iam, "DeletePolicy", &named).await;
    assert_eq!(
        refused(&iam, "GetPolicy", &named).await,
        (
            "NoSuchEntity".to_owned(),
            format!("Policy {POLICY} was not found.")
        )
    );
}

#[tokio::test]
async fn pages_neither_repeat_nor_leave_out() {
    let iam = fresh();
    for name in ["d", "B", "a", "C"] {
        done(&iam, "CreateUser", &[("UserName", name)]).await;
    }
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let mut asked = vec![("MaxItems", "1")];
        asked.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let answer = done(&iam, "ListUsers", &asked).await;
        found.push(between(&answer, "UserName").unwrap());
        if found.len() == 2 {
            done(&iam, "DeleteUser", &[("UserName", "B")]).await;
            done(&iam, "CreateUser", &[("UserName", "aa")]).await;
        }
        let next = between(&answer, "Marker");
        assert_eq!(answer.contains("<IsTruncated>true"), next.is_some());
        if next.is_none() {
            break;
        }
        marker = next;
    }
    assert_eq!(found, ["a", "B", "C", "d"]);
    assert_eq!(
        refused(&iam, "ListUsers", &[("Marker", "!")]).await.1,
        "Invalid Marker."
    );
    assert_eq!(
        refused(&iam, "ListUsers", &[("MaxItems", "x")]).await.0,
        "MalformedInput"
    );
    let zero = refused(&iam, "ListUsers", &[("MaxItems", "0")]).await;
    assert_eq!(zero.0, "ValidationError");
}

fn between(answer: &str, member: &str) -> Option<String> {
    let (_, rest) = answer.split_once(&format!("<{member}>"))?;
    Some(rest.split('<').next().unwrap().to_owned())
}

#[tokio::test]
async fn who_is_not_named_is_the_caller() {
    let iam = fresh();
    done(&iam, "CreateUser", &[("UserName", "ann")]).await;
    let all = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let got = ask(&iam, &ann(all), "GetUser", &[]).await.unwrap();
    assert!(got.contains("<UserName>ann</UserName>"));
    let key = ask(&iam, &ann(all), "CreateAccessKey", &[]).await.unwrap();
    assert!(key.contains("<UserName>ann</UserName>"));
    let root = done(&iam, "GetUser", &[]).await;
    assert!(root.contains("<Arn>arn:aws:iam::000000000000:root</Arn>"));
    let refused = refused(&iam, "CreateAccessKey", &[]).await;
    assert_eq!(refused.0, "ValidationError");
    assert!(refused.1.contains("Must specify userName"));
}

#[tokio::test]
async fn conditions_on_iam_bite() {
    let iam = fresh();
    let boundary = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Action":"iam:*","Resource":"*"}},
            {{"Effect":"Deny","Action":"iam:CreateUser","Resource":"*",
              "Condition":{{"StringNotEquals":{{"iam:PermissionsBoundary":"{POLICY}"}}}}}},
            {{"Effect":"Deny","Action":"iam:AttachUserPolicy","Resource":"*",
              "Condition":{{"ArnLike":{{"iam:PolicyARN":"arn:aws:iam::aws:policy/Admin*"}}}}}},
            {{"Effect":"Deny","Action":"iam:DeleteUser","Resource":"*",
              "Condition":{{"StringEquals":{{"iam:ResourceTag/keep":"yes"}}}}}},
            {{"Effect":"Deny","Action":"iam:TagUser","Resource":"*",
              "Condition":{{"ForAnyValue:StringEquals":{{"aws:TagKeys":["cost"]}}}}}}]}}"#
    );
    let ann = ann(&boundary);
    let code = async |action: &str, parameters: &[(&str, &str)]| {
        let answer = ask(&iam, &ann, action, parameters).await;
        answer.map_or_else(|error| error.code, |_| "done")
    };
    let made = [("PolicyName", "p"), ("PolicyDocument", ALLOW)];
    assert_eq!(code("CreatePolicy", &made).await, "done");
    assert_eq!(
        code("CreateUser", &[("UserName", "u")]).await,
        "AccessDenied"
    );
    let bounded = [
        ("UserName", "u"),
        ("PermissionsBoundary", POLICY),
        ("Tags.member.1.Key", "keep"),
        ("Tags.member.1.Value", "yes"),
    ];
    assert_eq!(code("CreateUser", &bounded).await, "done");
    let policy = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attach = [("UserName", "u"), ("PolicyArn", policy)];
    assert_eq!(code("AttachUserPolicy", &attach).await, "AccessDenied");
    let attach = [("UserName", "u"), ("PolicyArn", POLICY)];
    assert_eq!(code("AttachUserPolicy", &attach).await, "done");
    assert_eq!(
        code("DeleteUser", &[("UserName", "u")]).await,
        "AccessDenied"
    );
    let tag = |key| {
        [
            ("UserName", "u"),
            ("Tags.member.1.Key", key),
            ("Tags.member.1.Value", ""),
        ]
    };
    assert_eq!(code("TagUser", &tag("cost")).await, "AccessDenied");
    assert_eq!(code("TagUser", &tag("team")).await, "done");
}

#[tokio::test]
async fn quotas_are_kept() {
    let iam = fresh();
    let role = [("RoleName", "r"), ("AssumeRolePolicyDocument", TRUST)];
    done(&iam, "CreateRole", &role).await;
    for number in 0..11 {
        let name = format!("p{number}");
        let made = [("PolicyName", name.as_str()), ("PolicyDocument", ALLOW)];
        done(&iam, "CreatePolicy", &made).await;
        let arn = format!("{POLICY}{number}");
        let attach = [("RoleName", "r"), ("PolicyArn", arn.as_str())];
        if number < 10 {
            done(&iam, "AttachRolePolicy", &attach).await;
            continue;
        }
        assert_eq!(
            refused(&iam, "AttachRolePolicy", &attach).await,
            (
                "LimitExceeded".to_owned(),
                "Cannot exceed quota for PoliciesPerRole: 10".to_owned()
            )
        );
    }
    let long = ALLOW.replace("lambda:*", &format!("lambda:{}", "a".repeat(6_200)));
    let made = [("PolicyName", "long"), ("PolicyDocument", long.as_str())];
    assert_eq!(
        refused(&iam, "CreatePolicy", &made).await.1,
        "Cannot exceed quota for PolicySize: 6144"
    );
    // White space does not count.
    let wide = ALLOW.replace(":{", &format!(":{}{{", " ".repeat(7_000)));
    let made = [("PolicyName", "wide"), ("PolicyDocument", wide.as_str())];
    done(&iam, "CreatePolicy", &made).await;
    done(&iam, "CreateUser", &[("UserName", "u")]).await;
    for number in 0..11 {
        let name = format!("g{number}");
        done(&iam, "CreateGroup", &[("GroupName", &name)]).await;
        let add = [("GroupName", name.as_str()), ("UserName", "u")];
        if number < 10 {
            done(&iam, "AddUserToGroup", &add).await;
            continue;
        }
        assert_eq!(
            refused(&iam, "AddUserToGroup", &add).await.1,
            "Cannot exceed quota for GroupsPerUser: 10"
        );
    }
}

#[tokio::test]
async fn names_documents_and_tags_are_refused_in_the_services_words() {
    let iam = fresh();
    let bad = refused(&iam, "CreateUser", &[("UserName", "a b")]).await;
    assert_eq!(
        bad.1,
        "The specified value for userName is invalid. It must contain only alphanumeric \
         characters and/or the following: +=,.@_-"
    );
    let trust = [("RoleName", "r"), ("AssumeRolePolicyDocument", "{}")];
    let bad = refused(&iam, "CreateRole", &trust).await;
    assert_eq!(bad.0, "MalformedPolicyDocument");
    let path = [("UserName", "u"), ("Path", "x")];
    assert_eq!(
        refused(&iam, "CreateUser", &path).await.0,
        "ValidationError"
    );
    let tags = [
        ("UserName", "u"),
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "A"),
        ("Tags.member.2.Value", "2"),
    ];
    assert_eq!(refused(&iam, "CreateUser", &tags).await.0, "InvalidInput");
    let aws = "arn:aws:iam::aws:policy/AdministratorAccess";
    let gone = refused(&iam, "DeletePolicy", &[("PolicyArn", aws)]).await;
    assert_eq!(gone.0, "AccessDenied");
    let other = "arn:aws:iam::111111111111:policy/p";
    let gone = refused(&iam, "GetPolicy", &[("PolicyArn", other)]).await;
    assert_eq!(gone.0, "NoSuchEntity");
    let none = refused(
        &iam,
        "GetPolicy",
        &[("PolicyArn", "arn:aws:s3:::some-bucket")],
    )
    .await;
    assert_eq!(none.0, "InvalidInput");
    let linked = [("AWSServiceName", "lambda.amazonaws.com")];
    let linked = refused(&iam, "CreateServiceLinkedRole", &linked).await;
    assert_eq!(linked.0, "NotImplemented");
}

/// Every operation there is, called with invalid input.
#[tokio::test]
async fn hostile_requests_are_refused_and_nothing_breaks() {
    const OPERATIONS: [&str; 24] = [
        "CreateUser",
        "GetUser",
        "ListUsers",
        "UpdateUser",
        "DeleteUser",
        "CreateRole",
        "UpdateAssumeRolePolicy",
        "AddUserToGroup",
        "GetGroup",
        "PutRolePolicy",
        "AttachUserPolicy",
        "DetachGroupPolicy",
        "ListAttachedRolePolicies",
        "PutUserPermissionsBoundary",
        "TagUser",
        "UntagPolicy",
        "CreatePolicy",
        "CreatePolicyVersion",
        "GetPolicyVersion",
        "ListPolicies",
        "ListEntitiesForPolicy",
        "GetAccountAuthorizationDetails",
        "GetAccessKeyLastUsed",
        "UserRoleGroupPolicy",
    ];
    const MEMBERS: [&str; 14] = [
        "UserName",
        "RoleName",
        "GroupName",
        "PolicyName",
        "PolicyArn",
        "PolicyDocument",
        "AssumeRolePolicyDocument",
        "PermissionsBoundary",
        "NewUserName",
        "VersionId",
        "Marker",
        "MaxItems",
        "Tags.member.1.Key",
        "AccessKeyId",
    ];
    let long = "é".repeat(3_000);
    let values = [
        "",
        "\u{0}",
        "ann",
        "../../x",
        "arn:aws:iam::000000000000:policy/",
        "arn:aws:iam::aws:policy/a/b",
        "arn:aws:iam::x:policy/y",
        "v99999999999999999999",
        "-1",
        "[[[[[[",
        "</User><User>",
        "////",
        long.as_str(),
    ];
    let iam = fresh();
    done(&iam, "CreateUser", &[("UserName", "ann")]).await;
    for action in OPERATIONS {
        for value in values {
            let given = MEMBERS.map(|member| (member, value));
            let answer = ask(&iam, &super::root(), action, &given).await;
            let status = answer.map_or_else(|error| error.status.as_u16(), |_| 200);
            assert!(
                status < 500 || status == 501,
                "{action} {value:?}: {status}"
            );
        }
    }
    // Invalid input changes nothing that exists, except for what was asked about a user by name.
    let users = done(&iam, "ListUsers", &[]).await;
    assert!(users.matches("<UserName>").count() <= 1);
}
