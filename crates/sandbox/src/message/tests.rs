//! Every message survives encoding and decoding, and nothing else is accepted.

use super::*;

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn check<M: Message + PartialEq + std::fmt::Debug>(message: M) {
    let bytes = message.encode();
    assert_eq!(M::decode(&bytes).as_ref(), Some(&message));
    for length in 0..bytes.len() {
        assert_eq!(M::decode(&bytes[..length]), None, "cut at {length}");
    }
    let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
    assert_eq!(M::decode(&longer), None);
}

#[test]
fn every_message_survives_the_wire() {
    for kind in [
        RootKind::Host,
        RootKind::Directory(PathBuf::from("/images/al 2023")),
    ] {
        check(Build {
            kind,
            runtimes: PathBuf::from("/r"),
            resolvers: vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)],
        });
    }
    check(Create {
        request: 7,
        uid: 200_000,
    });
    check(Furnish {
        hostname: "h".to_owned(),
        opt: true,
        runtime: Some("python".to_owned()),
        shares: vec![
            Mount {
                name: "a".to_owned(),
                read_only: true,
                user: Some((1000, 1001)),
            },
            Mount {
                name: "b".to_owned(),
                read_only: false,
                user: None,
            },
        ],
        tmp_bytes: 512 << 20,
        open_files_max: 1024,
    });
    check(Execute {
        argv: vec![c("/bin/sh")],
        env: vec![c("A=1"), c("B=")],
        directory: c("/"),
        open_files_max: 1024,
    });
    check(Spawned::Created { request: 1 });
    check(Spawned::Failed {
        request: 1,
        step: "mount".to_owned(),
        errno: 2,
    });
    check(Request::Start {
        request: 1,
        argv: vec![c("/bin/sh"), c("-c"), c("")],
        env: vec![c("A=1")],
        directory: c("/var/task"),
    });
    check(Request::Signal {
        request: 2,
        pid: 3,
        signal: 15,
    });
    check(Request::KillAll { request: 3 });
    check(Event::Ready);
    check(Event::Failed {
        step: "mount /proc".to_owned(),
        errno: 1,
    });
    check(Event::Started { request: 1, pid: 2 });
    for stage in [Stage::Prepare, Stage::Directory, Stage::Execute] {
        check(Event::NotStarted {
            request: 1,
            stage,
            step: "execute".to_owned(),
            errno: 2,
        });
    }
    check(Event::Signalled {
        request: 4,
        errno: 3,
    });
    check(Event::Killed { request: 5 });
    check(Event::Exited {
        pid: 2,
        exit: Exit::Status(255),
    });
    check(Event::Exited {
        pid: 2,
        exit: Exit::Signal(9),
    });
}

#[test]
fn a_claimed_length_is_not_believed() {
    let mut bytes = 0_u32.to_le_bytes().to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(u32::MAX.to_le_bytes());
    assert_eq!(Request::decode(&bytes), None);
}

#[test]
fn a_zero_inside_a_text_is_refused() {
    let good = Request::Start {
        request: 1,
        argv: vec![c("ab")],
        env: vec![],
        directory: c("/"),
    };
    let bytes: Vec<u8> = good
        .encode()
        .into_iter()
        .map(|byte| if byte == b'b' { 0 } else { byte })
        .collect();
    assert_eq!(Request::decode(&bytes), None);
}

/// Checks that these bytes are a message only if they are its encoding, and cost no more than their
/// length.
fn is_exact<M: Message>(bytes: &[u8]) -> bool {
    M::decode(bytes).is_none_or(|message| message.encode() == bytes)
}

#[test]
fn fuzz_spawner_messages() {
    use proptest::prelude::*;

    // Small numbers are kinds and lengths, and get further than others.
    let number =
        prop_oneof![4 => 0_u32..9, 1 => any::<u32>()].prop_map(|n| n.to_le_bytes().to_vec());
    let part = prop_oneof![number, proptest::collection::vec(any::<u8>(), 0..12)];
    let bytes = proptest::collection::vec(part, 0..16).prop_map(|parts| parts.concat());
    fuzzing::run("spawner_messages", bytes, |bytes| {
        prop_assert!(is_exact::<Build>(&bytes));
        prop_assert!(is_exact::<Create>(&bytes));
        prop_assert!(is_exact::<Furnish>(&bytes));
        prop_assert!(is_exact::<Execute>(&bytes));
        prop_assert!(is_exact::<Spawned>(&bytes));
        prop_assert!(is_exact::<Request>(&bytes));
        prop_assert!(is_exact::<Event>(&bytes));
        Ok(())
    });
}
