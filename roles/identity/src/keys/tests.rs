//! Who has which key, and for how long.

use std::time::Duration;

use api::credentials::{self, RoleCredentials as _};
use keyring::Keyring;
use types::{FunctionArn, ManualClock, SystemRandom, Timestamp};

use super::roles::SESSION;
use super::*;

fn keys(clock: Arc<ManualClock>) -> Keys {
    let root = RootKey {
        access_key_id: "test".to_owned(),
        secret: Secret::new("test"),
        account: AccountId::new("000000000000").unwrap(),
    };
    Keys::new(
        vec![root],
        &UnknownRoles::default(),
        &Arc::new(Keyring::from_bytes([7; 32])),
        Arc::new(storage::memory::MemoryTable::default()),
        clock,
        Arc::new(SystemRandom),
    )
    .unwrap()
}

fn function() -> FunctionArn {
    FunctionArn {
        scope: records::examples::scope(),
        name: types::FunctionName::new("f").unwrap(),
        qualifier: None,
    }
}

#[tokio::test]
async fn a_root_key_is_the_account_itself() {
    let keys = keys(Arc::default());
    let key = keys.access_key("test", None).await.unwrap();
    assert_eq!(key.principal.arn, "arn:aws:iam::000000000000:root");
    assert_eq!(keys.access_key("other", None).await, Err(Error::Unknown));
    assert_eq!(
        keys.access_key("test", Some("x")).await,
        Err(Error::Unknown)
    );
}

#[tokio::test]
async fn temporary_keys_are_known_until_they_expire_and_after_a_restart() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
    let role = "arn:aws:iam::000000000000:role/path/worker";
    let made = keys(Arc::clone(&clock))
        .for_function(role, &function())
        .await
        .unwrap();
    assert_eq!(made.access_key_id.len(), 20);
    assert_eq!(made.secret_access_key.expose().len(), 40);
    let restarted = keys(Arc::clone(&clock));
    let token = Some(made.session_token.expose());
    let key = restarted
        .access_key(&made.access_key_id, token)
        .await
        .unwrap();
    assert_eq!(key.secret, made.secret_access_key);
    assert_eq!(
        key.principal.arn,
        "arn:aws:sts::000000000000:assumed-role/worker/f"
    );
    assert!(key.principal.user_id.starts_with("AROA") && key.principal.user_id.ends_with(":f"));
    assert_eq!(key.principal.user_id.len(), 21 + 2);
    let other = restarted.access_key("ASIAOTHER", token).await;
    assert_eq!(other, Err(Error::Unknown));
    clock.advance(SESSION + Duration::from_millis(1));
    let late = restarted.access_key(&made.access_key_id, token).await;
    assert_eq!(late, Err(Error::Expired));
}

#[tokio::test]
async fn what_is_no_role_gets_no_credentials() {
    let refused = keys(Arc::default()).for_function("x", &function()).await;
    assert!(matches!(refused, Err(credentials::Error::Role { .. })));
}
