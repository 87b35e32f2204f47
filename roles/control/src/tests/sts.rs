//! Becoming a role: who may, with what, for how long; and what is left when it is gone.

use std::time::Duration;

use wire::sigv4::Signer;

use super::harness::{FUNCTIONS, World, signer};
use super::people::{Keys, allow, ask, element, iam, root, user};

/// A role that trusts, with an inline policy.
async fn role(world: &World, name: &str, trust: &str, policy: &str) {
    let trusts = [("RoleName", name), ("AssumeRolePolicyDocument", trust)];
    iam(world, "CreateRole", &trusts).await;
    let own = [
        ("RoleName", name),
        ("PolicyName", "p"),
        ("PolicyDocument", policy),
    ];
    iam(world, "PutRolePolicy", &own).await;
}

fn trust(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},
           "Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]{condition}}}}}"#
    )
}

const ANN: &str = "arn:aws:iam::000000000000:user/ann";
const WORKER: &str = "arn:aws:iam::000000000000:role/worker";

async fn become_role(
    world: &World,
    keys: &Keys,
    parameters: &[(&str, &str)],
) -> Result<(Keys, String), String> {
    let mut all = Vec::from(parameters);
    for (name, value) in [("RoleArn", WORKER), ("RoleSessionName", "s1")] {
        if !all.iter().any(|(known, _)| *known == name) {
            all.push((name, value));
        }
    }
    match ask(world, keys, "sts", "AssumeRole", &all).await {
        (200, xml) => {
            let keys = Keys {
                id: element(&xml, "AccessKeyId"),
                secret: element(&xml, "SecretAccessKey"),
                token: Some(element(&xml, "SessionToken")),
            };
            Ok((keys, xml))
        }
        (_, xml) => Err(format!(
            "{}: {}",
            element(&xml, "Code"),
            element(&xml, "Message")
        )),
    }
}

/// The status of GetFunction and of ListFunctions.
async fn may(world: &World, keys: &Keys) -> (u16, u16) {
    let signer = Signer {
        session_token: keys.token.as_deref(),
        ..signer(&keys.id, &keys.secret)
    };
    let one = world
        .send(&signer, "GET", &format!("{FUNCTIONS}/f"), b"")
        .await;
    let all = world.send(&signer, "GET", FUNCTIONS, b"").await;
    (one.status, all.status)
}

/// A world with the user `ann`, the role `worker` that trusts her by name, and the function `f`.
async fn with_ann() -> (World, Keys) {
    let world = World::with_function().await;
    let ann = user(&world, "ann", None).await;
    role(&world, "worker", &trust(ANN, ""), &allow("lambda:*", "*")).await;
    (world, ann)
}

#[tokio::test]
async fn whom_the_role_names_becomes_it_without_more() {
    let (world, ann) = with_ann().await;
    assert_eq!(may(&world, &ann).await, (403, 403));
    let (session, xml) = become_role(&world, &ann, &[]).await.unwrap();
    assert!(session.id.starts_with("ASIA") && session.id.len() == 20);
    let arn = "arn:aws:sts::000000000000:assumed-role/worker/s1";
    assert_eq!(element(&xml, "Arn"), arn);
    assert!(element(&xml, "AssumedRoleId").starts_with("AROA"));
    assert_eq!(element(&xml, "Expiration"), "2026-01-31T11:20:30Z");
    assert!(!xml.contains("PackedPolicySize"), "{xml}");
    assert_eq!(may(&world, &session).await, (200, 200));
    let (_, me) = ask(&world, &session, "sts", "GetCallerIdentity", &[]).await;
    assert_eq!(element(&me, "Arn"), arn);
    assert_eq!(element(&me, "UserId"), element(&xml, "AssumedRoleId"));
    world.clock.advance(Duration::from_secs(3_601));
    assert_eq!(may(&world, &session).await, (403, 403));
    let (status, xml) = ask(&world, &session, "sts", "GetCallerIdentity", &[]).await;
    assert_eq!(
        (status, element(&xml, "Code").as_str()),
        (403, "ExpiredToken")
    );
}

#[tokio::test]
async fn whom_the_roles_account_is_left_to_say_needs_permission() {
    let world = World::with_function().await;
    let ann = user(&world, "ann", None).await;
    let bob = user(&world, "bob", Some(&allow("sts:AssumeRole", WORKER))).await;
    role(
        &world,
        "worker",
        &trust("000000000000", ""),
        &allow("lambda:*", "*"),
    )
    .await;
    let refused = become_role(&world, &ann, &[]).await.unwrap_err();
    assert_eq!(
        refused,
        format!(
            "AccessDenied: User: {ANN} is not authorized to perform: sts:AssumeRole on resource: {WORKER}"
        )
    );
    assert!(become_role(&world, &bob, &[]).await.is_ok());
    // What is not there refuses as what is.
    let absent = "arn:aws:iam::000000000000:role/absent";
    let refused = become_role(&world, &bob, &[("RoleArn", absent)])
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        format!(
            "AccessDenied: User: arn:aws:iam::000000000000:user/bob is not authorized to perform: sts:AssumeRole on resource: {absent}"
        )
    );
    // The trust changes, and so does at once who may.
    let nobody = trust("arn:aws:iam::000000000000:user/zoe", "");
    let change = [("RoleName", "worker"), ("PolicyDocument", nobody.as_str())];
    iam(&world, "UpdateAssumeRolePolicy", &change).await;
    assert!(become_role(&world, &bob, &[]).await.is_err());
    let denied = become_role(&world, &root(), &[]).await.unwrap_err();
    assert_eq!(
        denied,
        "AccessDenied: Roles may not be assumed by root accounts."
    );
}

#[tokio::test]
async fn conditions_of_the_trust_are_asked() {
    let world = World::new();
    let ann = user(&world, "ann", None).await;
    let condition = r#","Condition":{"StringEquals":{"sts:ExternalId":"x-1","sts:RoleSessionName":"ann",
        "aws:PrincipalArn":"arn:aws:iam::000000000000:user/ann"}}"#;
    role(
        &world,
        "worker",
        &trust(ANN, condition),
        &allow("lambda:*", "*"),
    )
    .await;
    let right = [("ExternalId", "x-1"), ("RoleSessionName", "ann")];
    assert!(become_role(&world, &ann, &right).await.is_ok());
    assert!(become_role(&world, &ann, &right[..1]).await.is_err());
    assert!(become_role(&world, &ann, &right[1..]).await.is_err());
}

#[tokio::test]
async fn a_session_does_what_both_its_role_and_its_policies_allow() {
    let (world, ann) = with_ann().await;
    let get = allow("lambda:GetFunction", "*");
    let (limited, xml) = become_role(&world, &ann, &[("Policy", &get)])
        .await
        .unwrap();
    assert!(element(&xml, "PackedPolicySize").parse::<u32>().unwrap() > 0);
    assert_eq!(may(&world, &limited).await, (200, 403));
    let managed = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess";
    let arns = [("PolicyArns.member.1.arn", managed)];
    let (reading, _) = become_role(&world, &ann, &arns).await.unwrap();
    assert_eq!(may(&world, &reading).await, (200, 200));
    let wide = allow("iam:*", "*");
    let (none, _) = become_role(&world, &ann, &[("Policy", &wide)])
        .await
        .unwrap();
    assert_eq!(may(&world, &none).await, (403, 403));
    assert_eq!(ask(&world, &none, "iam", "ListUsers", &[]).await.0, 403);
    for (parameter, value, refusal) in [
        ("Policy", "{", "MalformedPolicyDocument"),
        ("Policy", "{}", "MalformedPolicyDocument"),
        (
            "PolicyArns.member.1.arn",
            "arn:aws:iam::aws:policy/None",
            "MalformedPolicyDocument",
        ),
        (
            "Policy",
            &allow("a:b", &format!("arn:aws:s3:::{}", "x".repeat(2_048))),
            "PackedPolicyTooLarge: Packed policy consumes 105% of",
        ),
    ] {
        let refused = become_role(&world, &ann, &[(parameter, value)])
            .await
            .unwrap_err();
        assert!(refused.starts_with(refusal), "{refused}");
    }
}

#[tokio::test]
async fn sessions_last_as_long_as_their_role_lets_them() {
    let (world, ann) = with_ann().await;
    let lasting = |seconds| [("DurationSeconds", seconds)];
    let refused = become_role(&world, &ann, &lasting("3601"))
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    );
    let refused = become_role(&world, &ann, &lasting("899"))
        .await
        .unwrap_err();
    assert!(refused.contains("'899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"), "{refused}");
    iam(
        &world,
        "UpdateRole",
        &[("RoleName", "worker"), ("MaxSessionDuration", "43200")],
    )
    .await;
    assert!(become_role(&world, &ann, &lasting("43200")).await.is_ok());
    let (first, _) = become_role(&world, &ann, &[]).await.unwrap();
    let again = trust("000000000000", "");
    role(&world, "second", &again, &allow("lambda:*", "*")).await;
    let own = allow("sts:AssumeRole", "*");
    let own = [
        ("RoleName", "worker"),
        ("PolicyName", "q"),
        ("PolicyDocument", &own),
    ];
    iam(&world, "PutRolePolicy", &own).await;
    let second = ("RoleArn", "arn:aws:iam::000000000000:role/second");
    let refused = become_role(&world, &first, &[second, ("DurationSeconds", "3700")]).await;
    assert!(
        refused
            .unwrap_err()
            .contains("1 hour session limit for roles assumed by role chaining")
    );
    assert!(become_role(&world, &first, &[second]).await.is_ok());
}

#[tokio::test]
async fn tags_are_asked_for_seen_and_go_on() {
    let world = World::with_function().await;
    let ann = user(&world, "ann", None).await;
    let red = r#","Condition":{"StringEquals":{"aws:RequestTag/team":"red"},
        "ForAllValues:StringEquals":{"aws:TagKeys":["Team"],"sts:TransitiveTagKeys":["Team"]}}"#;
    let by_tag = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:GetFunction",
        "Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}},
        {"Effect":"Allow","Action":"sts:*","Resource":"*"}]}"#;
    role(&world, "worker", &trust(ANN, red), by_tag).await;
    iam(
        &world,
        "TagRole",
        &[
            ("RoleName", "worker"),
            ("Tags.member.1.Key", "TEAM"),
            ("Tags.member.1.Value", "blue"),
        ],
    )
    .await;
    assert!(become_role(&world, &ann, &[]).await.is_err());
    let tags = [
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "red"),
        ("TransitiveTagKeys.member.1", "Team"),
        ("SourceIdentity", "ann@home"),
    ];
    let (session, xml) = become_role(&world, &ann, &tags).await.unwrap();
    assert_eq!(element(&xml, "SourceIdentity"), "ann@home");
    assert_eq!(may(&world, &session).await, (200, 403));
    // A role that does not let sessions be tagged is not reached with tags that go on.
    let plain = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}"#;
    role(&world, "plain", plain, by_tag).await;
    let at_plain = ("RoleArn", "arn:aws:iam::000000000000:role/plain");
    let refused = become_role(&world, &session, &[at_plain])
        .await
        .unwrap_err();
    assert!(refused.contains("sts:TagSession"), "{refused}");
    let who = r#","Condition":{"StringEquals":{"aws:PrincipalTag/Team":"red","aws:SourceIdentity":"ann@home"}}"#;
    role(&world, "next", &trust("000000000000", who), by_tag).await;
    let at_next = ("RoleArn", "arn:aws:iam::000000000000:role/next");
    let (next, xml) = become_role(&world, &session, &[at_next]).await.unwrap();
    assert_eq!(element(&xml, "SourceIdentity"), "ann@home");
    assert_eq!(may(&world, &next).await, (200, 403));
    let changed = become_role(&world, &session, &[at_next, ("SourceIdentity", "bob")]).await;
    assert!(changed.unwrap_err().starts_with("AccessDenied"));
    let again = [at_next, tags[0], tags[1]];
    let refused = become_role(&world, &session, &again).await.unwrap_err();
    assert!(refused.starts_with("InvalidParameterValue"), "{refused}");
}

#[tokio::test]
async fn a_role_that_is_made_again_revives_no_session() {
    let (world, ann) = with_ann().await;
    let (session, _) = become_role(&world, &ann, &[]).await.unwrap();
    iam(
        &world,
        "DeleteRolePolicy",
        &[("RoleName", "worker"), ("PolicyName", "p")],
    )
    .await;
    assert_eq!(may(&world, &session).await, (403, 403));
    iam(&world, "DeleteRole", &[("RoleName", "worker")]).await;
    let (status, xml) = ask(&world, &session, "sts", "GetCallerIdentity", &[]).await;
    assert_eq!(
        (status, element(&xml, "Code").as_str()),
        (403, "InvalidClientTokenId")
    );
    role(&world, "worker", &trust(ANN, ""), &allow("lambda:*", "*")).await;
    assert_eq!(may(&world, &session).await, (403, 403));
    let (fresh, _) = become_role(&world, &ann, &[]).await.unwrap();
    assert_eq!(may(&world, &fresh).await, (200, 200));
}

#[tokio::test]
async fn temporary_keys_of_ones_own_end_with_whose_they_are() {
    let world = World::with_function().await;
    let policy = allow("*", "*");
    let ann = user(&world, "ann", Some(&policy)).await;
    let own = |xml: &str| Keys {
        id: element(xml, "AccessKeyId"),
        secret: element(xml, "SecretAccessKey"),
        token: Some(element(xml, "SessionToken")),
    };
    let (status, xml) = ask(&world, &ann, "sts", "GetSessionToken", &[]).await;
    assert_eq!(status, 200, "{xml}");
    let session = own(&xml);
    assert_eq!(element(&xml, "Expiration"), "2026-01-31T22:20:30Z");
    assert_eq!(may(&world, &session).await, (200, 200));
    let (_, me) = ask(&world, &session, "sts", "GetCallerIdentity", &[]).await;
    assert_eq!(element(&me, "Arn"), ANN);
    for (service, action, code) in [
        ("sts", "GetSessionToken", "AccessDenied"),
        ("sts", "GetAccessKeyInfo", "AccessDenied"),
        ("iam", "ListUsers", "InvalidClientTokenId"),
    ] {
        let parameters = [("AccessKeyId", "AKIAIOSFODNN7EXAMPLE")];
        let (status, xml) = ask(&world, &session, service, action, &parameters).await;
        assert_eq!(
            (status, element(&xml, "Code").as_str()),
            (403, code),
            "{xml}"
        );
    }
    iam(
        &world,
        "DeleteUserPolicy",
        &[("UserName", "ann"), ("PolicyName", "p")],
    )
    .await;
    assert_eq!(may(&world, &session).await, (403, 403));
    iam(
        &world,
        "DeleteAccessKey",
        &[("UserName", "ann"), ("AccessKeyId", &ann.id)],
    )
    .await;
    iam(&world, "DeleteUser", &[("UserName", "ann")]).await;
    user(&world, "ann", Some(&policy)).await;
    assert_eq!(may(&world, &session).await, (403, 403));
    // An account itself has an hour at most.
    let (_, xml) = ask(&world, &root(), "sts", "GetSessionToken", &[]).await;
    assert_eq!(element(&xml, "Expiration"), "2026-01-31T11:20:30Z");
    assert_eq!(may(&world, &own(&xml)).await, (200, 200));
}

#[tokio::test]
async fn a_key_tells_its_account() {
    let (world, ann) = with_ann().await;
    let (session, _) = become_role(&world, &ann, &[]).await.unwrap();
    for id in [&ann.id, &session.id] {
        let (status, xml) = ask(
            &world,
            &root(),
            "sts",
            "GetAccessKeyInfo",
            &[("AccessKeyId", id)],
        )
        .await;
        assert_eq!(status, 200, "{xml}");
        assert_eq!(element(&xml, "Account"), "000000000000");
    }
    for id in ["AKIAIOSFODNN7EXAMPLE", "short", ""] {
        let (status, xml) = ask(
            &world,
            &root(),
            "sts",
            "GetAccessKeyInfo",
            &[("AccessKeyId", id)],
        )
        .await;
        assert_eq!(
            (status, element(&xml, "Code").as_str()),
            (400, "ValidationError")
        );
    }
    let (status, _) = ask(
        &world,
        &ann,
        "sts",
        "GetAccessKeyInfo",
        &[("AccessKeyId", &ann.id)],
    )
    .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn hostile_forms_are_refused() {
    let (world, ann) = with_ann().await;
    for (parameters, code) in [
        (
            vec![("RoleArn", "arn:aws:iam::000000000000:user/x")],
            "ValidationError",
        ),
        (vec![("RoleArn", "x")], "ValidationError"),
        (vec![("RoleSessionName", "a b")], "ValidationError"),
        (vec![("RoleSessionName", "../../x")], "ValidationError"),
        (vec![("DurationSeconds", "1e9")], "ValidationError"),
        (vec![("DurationSeconds", "soon")], "ValidationError"),
        (
            vec![
                ("SerialNumber", "arn:aws:iam::000000000000:mfa/x"),
                ("TokenCode", "123456"),
            ],
            "AccessDenied",
        ),
        (vec![("TokenCode", "123456")], "AccessDenied"),
        (vec![("Tags.member.1.Key", "a")], "ValidationError"),
        (
            vec![(
                "ProvidedContexts.member.1.ProviderArn",
                "arn:aws:iam::aws:contextProvider/x",
            )],
            "NotImplemented",
        ),
    ] {
        let refused = become_role(&world, &ann, &parameters).await.unwrap_err();
        assert!(refused.starts_with(code), "{parameters:?}: {refused}");
    }
    let unsigned = http::Request::builder()
        .method("POST")
        .uri("/")
        .header("content-type", "application/x-www-form-urlencoded");
    let body = bytes::Bytes::from_static(b"Action=AssumeRoleWithWebIdentity");
    let answer = world.answer(unsigned.body(body).unwrap()).await;
    assert_eq!(answer.status, 501);
}
