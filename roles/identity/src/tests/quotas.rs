//! Nothing that an account makes grows without a bound.

use super::harness::World;
use crate::examples::root;

#[tokio::test]
async fn an_account_has_as_many_groups_as_awss_quota_lets_it() {
    let world = World::new();
    for number in 0..300 {
        let name = format!("g{number}");
        let named = [("GroupName", name.as_str())];
        world.client.iam("CreateGroup", &named).await;
    }
    let one_more = [("GroupName", "more")];
    let (status, xml) = world
        .client
        .ask(&root(), "iam", "CreateGroup", &one_more)
        .await;
    assert_eq!(status, 409, "{xml}");
    assert!(xml.contains("<Code>LimitExceeded</Code>"), "{xml}");
    assert!(
        xml.contains("Cannot exceed quota for GroupsPerAccount: 300"),
        "{xml}"
    );
    world
        .client
        .iam("DeleteGroup", &[("GroupName", "g7")])
        .await;
    world.client.iam("CreateGroup", &one_more).await;
    let (status, _) = world
        .client
        .ask(&root(), "iam", "CreateGroup", &[("GroupName", "g7")])
        .await;
    assert_eq!(status, 409);
}
