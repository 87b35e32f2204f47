//! What opens, and what does not.

use proptest::prelude::*;
use serde::Deserialize;
use types::SystemRandom;

use super::*;

#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Held {
    text: String,
}

fn held() -> Held {
    let text = "hush".to_owned();
    Held { text }
}

fn sealing(byte: u8) -> Sealing {
    Sealing::new(&Arc::new(Keyring::from_bytes([byte; 32])), "tests")
}

fn open(sealing: &Sealing, text: &str) -> Option<Held> {
    sealing.open(text, Timestamp::default())
}

#[test]
fn a_text_opens_only_whole_and_under_its_key() {
    let sealing = sealing(1);
    let text = sealing.seal(&held(), &SystemRandom);
    assert_eq!(open(&sealing, &text), Some(held()));
    assert_eq!(open(&super::tests::sealing(2), &text), None);
    let other = Sealing::new(&Arc::new(Keyring::from_bytes([1; 32])), "others");
    assert_eq!(open(&other, &text), None);
    let bytes = BASE64.decode(&text).unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let changed = BASE64.encode(changed);
        assert_eq!(open(&sealing, &changed), None, "byte {place}");
    }
    for hostile in [
        "",
        "AQ",
        "Ag",
        "AgAAAA",
        "not base64!",
        &text[..20],
        &"A".repeat(100_000),
    ] {
        assert_eq!(open(&sealing, hostile), None);
    }
}

#[test]
fn the_same_is_never_sealed_alike() {
    let sealing = sealing(1);
    let text = || sealing.seal(&held(), &SystemRandom);
    assert_ne!(text(), text());
}

#[test]
fn what_was_sealed_before_there_were_key_ids_still_opens() {
    let sealing = sealing(1);
    let text = sealing.seal(&held(), &SystemRandom);
    let mut bytes = BASE64.decode(text).unwrap();
    bytes.drain(1..=KeyId::BYTES);
    bytes[0] = WITHOUT_ID;
    let text = BASE64.encode(bytes);
    assert_eq!(open(&sealing, &text), Some(held()));
    assert!(!sealing.is_newest(&text));
}

#[test]
fn a_key_can_be_rotated_while_two_processes_seal_and_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let process = || Arc::new(Keyring::open(&path, &SystemRandom).unwrap());
    let (one, other) = (process(), process());
    let [sealing, opening] = [&one, &other].map(|keyring| Sealing::new(keyring, "tests"));
    let before = sealing.seal(&held(), &SystemRandom);
    Keyring::rotate(&path, &SystemRandom).unwrap();
    assert!(one.read_again(Timestamp::from_millis(5_000)));
    let after = sealing.seal(&held(), &SystemRandom);
    assert!(sealing.is_newest(&after) && !sealing.is_newest(&before));
    // The other has not read the new key, and finds it when it is needed.
    let now = Timestamp::from_millis(9_000);
    for text in [&before, &after] {
        assert_eq!(opening.open(text, now), Some(held()));
        assert_eq!(sealing.open(text, now), Some(held()));
    }
    one.note_settled(&SystemRandom).unwrap();
    Keyring::retire(&path, &SystemRandom).unwrap();
    other.read_again(Timestamp::from_millis(19_000));
    assert_eq!(opening.open::<Held>(&before, now), None);
    assert_eq!(opening.open(&after, now), Some(held()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_was_not_sealed_here_never_opens(
        cut in 0_usize..60,
        put in prop::collection::vec(any::<u8>(), 0..40),
        text in "[A-Za-z0-9_\\-=+/]{0,200}",
    ) {
        let sealing = sealing(1);
        let sealed = sealing.seal(&held(), &SystemRandom);
        let whole = BASE64.decode(&sealed).unwrap();
        let cut = cut.min(whole.len());
        let mut spliced = whole[..cut].to_vec();
        spliced.extend_from_slice(&put);
        prop_assume!(spliced != whole);
        prop_assert_eq!(open(&sealing, &BASE64.encode(&spliced)), None);
        prop_assert_eq!(open(&sealing, &text), None);
    }
}
