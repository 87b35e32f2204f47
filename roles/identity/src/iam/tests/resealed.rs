//! Users' access keys outlive the master key that sealed them.

use authn::identity::Identities as _;
use keyring::{Keyring, Sealing};
use storage::memory::MemoryTable;

use super::*;
use crate::iam::Resealing;

#[tokio::test]
async fn access_keys_are_sealed_anew_and_open_when_the_old_master_key_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let table: Arc<dyn Table> = Arc::new(MemoryTable::default());
    let keyring = || Arc::new(Keyring::open(&path, &SystemRandom).unwrap());
    let known = keyring();
    let (iam, keys) = iam_and_keys_of(Arc::clone(&table), &known);
    let mut made = Vec::new();
    for user in ["ann", "bob"] {
        done(&iam, "CreateUser", &[("UserName", user)]).await;
        let answer = done(&iam, "CreateAccessKey", &[("UserName", user)]).await;
        let id = answer.split("<AccessKeyId>").nth(1).unwrap();
        made.push(id.split('<').next().unwrap().to_owned());
    }
    let secret = keys.access_key(&made[0], None).await.unwrap().secret;
    let mut resealing = Resealing::new(Arc::new(iam), Arc::clone(&known));
    let at = |seconds: u64| Timestamp::from_millis(1_769_854_830_123 + seconds * 1_000);
    resealing.look(at(0)).await.unwrap();
    Keyring::rotate(&path, &SystemRandom).unwrap();
    assert!(
        Keyring::retire(&path, &SystemRandom).is_err(),
        "not before they are sealed again"
    );
    resealing.look(at(15)).await.unwrap();
    assert_eq!(Keyring::retire(&path, &SystemRandom).unwrap().len(), 1);
    let (_, after) = iam_and_keys_of(table, &keyring());
    assert_eq!(
        after.access_key(&made[0], None).await.unwrap().secret,
        secret
    );
    assert!(after.access_key(&made[1], None).await.is_ok());
    // What only the old one has sealed is lost, as it must be.
    let old = Sealing::new(&known, "x");
    known.read_again(at(30));
    assert!(old.is_newest(&old.seal(&1, &SystemRandom)));
}
