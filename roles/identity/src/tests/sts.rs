//! Assuming a role: who may, and with what.

use std::time::Duration;

use crate::examples::{allow, element, root};

use super::harness::{ANN, WORKER, World, trust};

#[tokio::test]
async fn whom_the_role_names_becomes_it_without_more() {
    let (world, ann) = World::with_ann().await;
    assert_eq!(world.may(&ann).await, (false, false));
    let (session, xml) = world.become_role(&ann, &[]).await.unwrap();
    assert!(session.id.starts_with("ASIA") && session.id.len() == 20);
    let arn = "arn:aws:sts::000000000000:assumed-role/worker/s1";
    assert_eq!(element(&xml, "Arn"), arn);
    assert!(element(&xml, "AssumedRoleId").starts_with("AROA"));
    assert_eq!(element(&xml, "Expiration"), "2026-01-31T11:20:30Z");
    assert!(!xml.contains("PackedPolicySize"), "{xml}");
    assert_eq!(world.may(&session).await, (true, true));
    let (_, me) = world
        .client
        .ask(&session, "sts", "GetCallerIdentity", &[])
        .await;
    assert_eq!(element(&me, "Arn"), arn);
    assert_eq!(element(&me, "UserId"), element(&xml, "AssumedRoleId"));
    world.clock.advance(Duration::from_secs(3_601));
    assert_eq!(world.may(&session).await, (false, false));
    let (status, xml) = world
        .client
        .ask(&session, "sts", "GetCallerIdentity", &[])
        .await;
    assert_eq!(
        (status, element(&xml, "Code").as_str()),
        (403, "ExpiredToken")
    );
}

#[tokio::test]
async fn whom_the_roles_account_is_left_to_say_needs_permission() {
    let world = World::new();
    let ann = world.client.user("ann", None).await;
    let bob = world
        .client
        .user("bob", Some(&allow("sts:AssumeRole", WORKER)))
        .await;
    world
        .role(
            "worker",
            &trust("000000000000", ""),
            &allow("lambda:*", "*"),
        )
        .await;
    let refused = world.become_role(&ann, &[]).await.unwrap_err();
    assert_eq!(
        refused,
        format!(
            "AccessDenied: User: {ANN} is not authorized to perform: sts:AssumeRole on resource: {WORKER}"
        )
    );
    assert!(world.become_role(&bob, &[]).await.is_ok());
    // What does not exist is refused like what does.
    let absent = "arn:aws:iam::000000000000:role/absent";
    let refused = world
        .become_role(&bob, &[("RoleArn", absent)])
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        format!(
            "AccessDenied: User: arn:aws:iam::000000000000:user/bob is not authorized to perform: sts:AssumeRole on resource: {absent}"
        )
    );
    // The trust policy changes, and at once so does who may.
    let nobody = trust("arn:aws:iam::000000000000:user/zoe", "");
    let change = [("RoleName", "worker"), ("PolicyDocument", nobody.as_str())];
    world.client.iam("UpdateAssumeRolePolicy", &change).await;
    assert!(world.become_role(&bob, &[]).await.is_err());
    let denied = world.become_role(&root(), &[]).await.unwrap_err();
    assert_eq!(
        denied,
        "AccessDenied: Roles may not be assumed by root accounts."
    );
}

#[tokio::test]
async fn conditions_of_the_trust_are_asked() {
    let world = World::new();
    let ann = world.client.user("ann", None).await;
    let condition = r#","Condition":{"StringEquals":{"sts:ExternalId":"x-1","sts:RoleSessionName":"ann",
        "aws:PrincipalArn":"arn:aws:iam::000000000000:user/ann"}}"#;
    world
        .role("worker", &trust(ANN, condition), &allow("lambda:*", "*"))
        .await;
    let right = [("ExternalId", "x-1"), ("RoleSessionName", "ann")];
    assert!(world.become_role(&ann, &right).await.is_ok());
    assert!(world.become_role(&ann, &right[..1]).await.is_err());
    assert!(world.become_role(&ann, &right[1..]).await.is_err());
}

#[tokio::test]
async fn tags_are_asked_for_seen_and_go_on() {
    let world = World::new();
    let ann = world.client.user("ann", None).await;
    let red = r#","Condition":{"StringEquals":{"aws:RequestTag/team":"red"},
        "ForAllValues:StringEquals":{"aws:TagKeys":["Team"],"sts:TransitiveTagKeys":["Team"]}}"#;
    let by_tag = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:GetFunction",
        "Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}},
        {"Effect":"Allow","Action":"sts:*","Resource":"*"}]}"#;
    world.role("worker", &trust(ANN, red), by_tag).await;
    world
        .client
        .iam(
            "TagRole",
            &[
                ("RoleName", "worker"),
                ("Tags.member.1.Key", "TEAM"),
                ("Tags.member.1.Value", "blue"),
            ],
        )
        .await;
    assert!(world.become_role(&ann, &[]).await.is_err());
    let tags = [
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "red"),
        ("TransitiveTagKeys.member.1", "Team"),
        ("SourceIdentity", "ann@home"),
    ];
    let (session, xml) = world.become_role(&ann, &tags).await.unwrap();
    assert_eq!(element(&xml, "SourceIdentity"), "ann@home");
    assert_eq!(world.may(&session).await, (true, false));
    // A role that does not allow session tags cannot be assumed with transitive tags.
    let plain = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}"#;
    world.role("plain", plain, by_tag).await;
    let at_plain = ("RoleArn", "arn:aws:iam::000000000000:role/plain");
    let refused = world.become_role(&session, &[at_plain]).await.unwrap_err();
    assert!(refused.contains("sts:TagSession"), "{refused}");
    let who = r#","Condition":{"StringEquals":{"aws:PrincipalTag/Team":"red","aws:SourceIdentity":"ann@home"}}"#;
    world
        .role("next", &trust("000000000000", who), by_tag)
        .await;
    let at_next = ("RoleArn", "arn:aws:iam::000000000000:role/next");
    let (next, xml) = world.become_role(&session, &[at_next]).await.unwrap();
    assert_eq!(element(&xml, "SourceIdentity"), "ann@home");
    assert_eq!(world.may(&next).await, (true, false));
    let changed = world
        .become_role(&session, &[at_next, ("SourceIdentity", "bob")])
        .await;
    assert!(changed.unwrap_err().starts_with("AccessDenied"));
    let again = [at_next, tags[0], tags[1]];
    let refused = world.become_role(&session, &again).await.unwrap_err();
    assert!(refused.starts_with("InvalidParameterValue"), "{refused}");
}

#[tokio::test]
async fn hostile_forms_are_refused() {
    let (world, ann) = World::with_ann().await;
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
        let refused = world.become_role(&ann, &parameters).await.unwrap_err();
        assert!(refused.starts_with(code), "{parameters:?}: {refused}");
    }
    let unsigned = http::Request::builder()
        .method("POST")
        .uri("/")
        .header("content-type", "application/x-www-form-urlencoded");
    let body = bytes::Bytes::from_static(b"Action=AssumeRoleWithWebIdentity");
    let answer = world.client.send(unsigned.body(body).unwrap()).await;
    assert_eq!(answer.status(), 501);
}
