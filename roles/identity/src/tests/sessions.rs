//! Sessions: what they may do, for how long, and what is left of them when their owner is deleted.

use crate::examples::{Held, allow, element, root};

use super::harness::{ANN, World, trust};

#[tokio::test]
async fn a_session_does_what_both_its_role_and_its_policies_allow() {
    let (world, ann) = World::with_ann().await;
    let get = allow("lambda:GetFunction", "*");
    let (limited, xml) = world.become_role(&ann, &[("Policy", &get)]).await.unwrap();
    assert!(element(&xml, "PackedPolicySize").parse::<u32>().unwrap() > 0);
    assert_eq!(world.may(&limited).await, (true, false));
    let managed = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess";
    let arns = [("PolicyArns.member.1.arn", managed)];
    let (reading, _) = world.become_role(&ann, &arns).await.unwrap();
    assert_eq!(world.may(&reading).await, (true, true));
    let wide = allow("iam:*", "*");
    let (none, _) = world.become_role(&ann, &[("Policy", &wide)]).await.unwrap();
    assert_eq!(world.may(&none).await, (false, false));
    assert_eq!(
        world.client.ask(&none, "iam", "ListUsers", &[]).await.0,
        403
    );
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
        let refused = world
            .become_role(&ann, &[(parameter, value)])
            .await
            .unwrap_err();
        assert!(refused.starts_with(refusal), "{refused}");
    }
}

#[tokio::test]
async fn sessions_last_as_long_as_their_role_lets_them() {
    let (world, ann) = World::with_ann().await;
    let lasting = |seconds| [("DurationSeconds", seconds)];
    let refused = world.become_role(&ann, &lasting("3601")).await.unwrap_err();
    assert_eq!(
        refused,
        "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    );
    let refused = world.become_role(&ann, &lasting("899")).await.unwrap_err();
    assert!(refused.contains("'899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"), "{refused}");
    world
        .client
        .iam(
            "UpdateRole",
            &[("RoleName", "worker"), ("MaxSessionDuration", "43200")],
        )
        .await;
    assert!(world.become_role(&ann, &lasting("43200")).await.is_ok());
    let (first, _) = world.become_role(&ann, &[]).await.unwrap();
    let again = trust("000000000000", "");
    world.role("second", &again, &allow("lambda:*", "*")).await;
    let own = allow("sts:AssumeRole", "*");
    let own = [
        ("RoleName", "worker"),
        ("PolicyName", "q"),
        ("PolicyDocument", &own),
    ];
    world.client.iam("PutRolePolicy", &own).await;
    let second = ("RoleArn", "arn:aws:iam::000000000000:role/second");
    let refused = world
        .become_role(&first, &[second, ("DurationSeconds", "3700")])
        .await;
    assert!(
        refused
            .unwrap_err()
            .contains("1 hour session limit for roles assumed by role chaining")
    );
    assert!(world.become_role(&first, &[second]).await.is_ok());
}

#[tokio::test]
async fn a_role_that_is_made_again_revives_no_session() {
    let (world, ann) = World::with_ann().await;
    let (session, _) = world.become_role(&ann, &[]).await.unwrap();
    world
        .client
        .iam(
            "DeleteRolePolicy",
            &[("RoleName", "worker"), ("PolicyName", "p")],
        )
        .await;
    assert_eq!(world.may(&session).await, (false, false));
    world
        .client
        .iam("DeleteRole", &[("RoleName", "worker")])
        .await;
    let (status, xml) = world
        .client
        .ask(&session, "sts", "GetCallerIdentity", &[])
        .await;
    assert_eq!(
        (status, element(&xml, "Code").as_str()),
        (403, "InvalidClientTokenId")
    );
    world
        .role("worker", &trust(ANN, ""), &allow("lambda:*", "*"))
        .await;
    assert_eq!(world.may(&session).await, (false, false));
    let (fresh, _) = world.become_role(&ann, &[]).await.unwrap();
    assert_eq!(world.may(&fresh).await, (true, true));
}

#[tokio::test]
async fn temporary_keys_of_ones_own_end_with_whose_they_are() {
    let world = World::new();
    let policy = allow("*", "*");
    let ann = world.client.user("ann", Some(&policy)).await;
    let (status, xml) = world.client.ask(&ann, "sts", "GetSessionToken", &[]).await;
    assert_eq!(status, 200, "{xml}");
    let session = Held::told(&xml);
    assert_eq!(element(&xml, "Expiration"), "2026-01-31T22:20:30Z");
    assert_eq!(world.may(&session).await, (true, true));
    let (_, me) = world
        .client
        .ask(&session, "sts", "GetCallerIdentity", &[])
        .await;
    assert_eq!(element(&me, "Arn"), ANN);
    for (service, action, code) in [
        ("sts", "GetSessionToken", "AccessDenied"),
        ("sts", "GetAccessKeyInfo", "AccessDenied"),
        ("iam", "ListUsers", "InvalidClientTokenId"),
    ] {
        let parameters = [("AccessKeyId", "AKIAIOSFODNN7EXAMPLE")];
        let (status, xml) = world
            .client
            .ask(&session, service, action, &parameters)
            .await;
        assert_eq!(
            (status, element(&xml, "Code").as_str()),
            (403, code),
            "{xml}"
        );
    }
    world
        .client
        .iam(
            "DeleteUserPolicy",
            &[("UserName", "ann"), ("PolicyName", "p")],
        )
        .await;
    assert_eq!(world.may(&session).await, (false, false));
    world
        .client
        .iam(
            "DeleteAccessKey",
            &[("UserName", "ann"), ("AccessKeyId", &ann.id)],
        )
        .await;
    world.client.iam("DeleteUser", &[("UserName", "ann")]).await;
    world.client.user("ann", Some(&policy)).await;
    assert_eq!(world.may(&session).await, (false, false));
    // An account itself has an hour at most.
    let (_, xml) = world
        .client
        .ask(&root(), "sts", "GetSessionToken", &[])
        .await;
    assert_eq!(element(&xml, "Expiration"), "2026-01-31T11:20:30Z");
    assert_eq!(world.may(&Held::told(&xml)).await, (true, true));
}

#[tokio::test]
async fn a_key_tells_its_account() {
    let (world, ann) = World::with_ann().await;
    let (session, _) = world.become_role(&ann, &[]).await.unwrap();
    for id in [&ann.id, &session.id] {
        let (status, xml) = world
            .client
            .ask(&root(), "sts", "GetAccessKeyInfo", &[("AccessKeyId", id)])
            .await;
        assert_eq!(status, 200, "{xml}");
        assert_eq!(element(&xml, "Account"), "000000000000");
    }
    for id in ["AKIAIOSFODNN7EXAMPLE", "short", ""] {
        let (status, xml) = world
            .client
            .ask(&root(), "sts", "GetAccessKeyInfo", &[("AccessKeyId", id)])
            .await;
        assert_eq!(
            (status, element(&xml, "Code").as_str()),
            (400, "ValidationError")
        );
    }
    let (status, _) = world
        .client
        .ask(&ann, "sts", "GetAccessKeyInfo", &[("AccessKeyId", &ann.id)])
        .await;
    assert_eq!(status, 403);
}
