//! Messages of earlier versions are read by this one.
//!
//! `messages/1.hex` has messages as a version has written them, a line each: what it is, and its bytes. A version that
//! changes what it writes adds another file, and the earlier ones stay as they are:
//!
//! ```console
//! $ cargo test -p far of_this_version -- --nocapture | grep ': [0-9a-f]*$' > crates/far/src/tests/messages/2.hex
//! ```

mod samples;

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;

use samples::samples;

const KEPT: [&str; 1] = [include_str!("messages/1.hex")];

#[test]
fn messages_of_this_version_have_names() {
    let mut names = BTreeSet::new();
    for sample in samples() {
        // What the command above keeps.
        println!("{}: {}", sample.name, HEXLOWER.encode(&sample.written));
        assert!(names.insert(sample.name), "{}", sample.name);
    }
}

#[test]
fn messages_of_earlier_versions_are_read() {
    for kept in KEPT {
        let kept: Vec<(&str, &str)> = kept
            .lines()
            .filter_map(|line| line.split_once(": "))
            .collect();
        assert!(kept.len() >= 40);
        let samples = samples();
        for (name, hex) in kept {
            let sample = samples.iter().find(|sample| sample.name == name);
            let sample = sample.unwrap_or_else(|| panic!("{name} is sent no more"));
            (sample.reads)(&HEXLOWER.decode(hex.as_bytes()).unwrap());
        }
    }
}

#[test]
fn members_that_a_later_version_has_added_are_skipped() {
    let mut extended = 0;
    for sample in samples() {
        if let Some(later) = with_another_member(&sample.written) {
            (sample.reads)(&later);
            extended += 1;
        }
    }
    assert!(extended >= 20, "{extended}");
}

/// A message whose first structure has a member more: `later: [1, 2]`.
fn with_another_member(message: &[u8]) -> Option<Vec<u8>> {
    let at = match message {
        // Arguments are an array, an answer is a map with the one key `Ok`.
        [0x91..=0x9f, ..] => 1,
        [0x81, 0xa2, b'O', b'k', ..] => 4,
        _ => 0,
    };
    let (before, structure) = message.split_at(at);
    let (header, rest) = match structure {
        // Variants of enumerations look the same, but begin with a capital.
        [count @ 0x80..=0x8e, 0xa1..=0xbf, b'a'..=b'z', ..] => (vec![count + 1], &structure[1..]),
        _ => return None,
    };
    let member = [&[0xa5], &b"later"[..], &[0x92, 1, 2]].concat();
    Some([before, &header, &member, rest].concat())
}
