//! Every call, tried through links and out of the folder, next to a folder that must stay as it is.

use std::fs::{create_dir, create_dir_all, read_dir, read_to_string, write};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;

/// A folder to work in, `in`, next to one that nothing may touch, `out`, with a file `canary`.
fn place() -> (tempfile::TempDir, Folder) {
    let root = tempfile::tempdir().unwrap();
    for name in ["in", "out"] {
        create_dir(root.path().join(name)).unwrap();
    }
    write(root.path().join("out/canary"), "alive").unwrap();
    let folder = Folder::open(&root.path().join("in")).unwrap();
    (root, folder)
}

fn unharmed(root: &tempfile::TempDir) -> bool {
    let out = root.path().join("out");
    let alive = read_to_string(out.join("canary")).is_ok_and(|text| text == "alive");
    alive && read_dir(&out).unwrap().count() == 1 && read_dir(root.path()).unwrap().count() == 2
}

#[test]
fn nothing_is_reached_through_a_link_or_out_of_the_folder() {
    let (root, folder) = place();
    let inside = root.path().join("in");
    symlink("../out", inside.join("link")).unwrap();
    symlink("../out/canary", inside.join("file")).unwrap();
    create_dir(inside.join("dir")).unwrap();
    let p = |path: &'static str| Path::new(path);
    for path in ["link", "link/x", "../out", "dir/../../out", "/etc"] {
        assert!(folder.folder(p(path)).is_err(), "{path}");
    }
    for path in [
        "file",
        "link/canary",
        "../out/canary",
        "dir/../../out/canary",
        "/etc/passwd",
    ] {
        assert!(folder.file(p(path)).is_err(), "{path}");
    }
    for path in ["file", "link/new", "../out/new", "/tmp/new"] {
        assert!(folder.new_file(p(path), 0o644).is_err(), "{path}");
    }
    for name in ["link/new", "../new", "/tmp/new", ".", "..", "", "dir/x"] {
        let name = p(name);
        assert!(folder.make_folder(name, 0o755).is_err(), "{name:?}");
        assert!(folder.make_link(p("x"), name).is_err(), "{name:?}");
        assert!(folder.remove_file(name).is_err(), "{name:?}");
        assert!(folder.look(name).is_err(), "{name:?}");
        assert!(folder.link_target(name).is_err(), "{name:?}");
        assert!(folder.rename(p("dir"), &folder, name).is_err(), "{name:?}");
        assert!(
            folder.hard_link(p("file"), &folder, name).is_err(),
            "{name:?}"
        );
    }
    assert_eq!(folder.look(p("link")).unwrap().kind, Kind::Link);
    folder.remove_all(p("link")).unwrap();
    folder.remove_all(p("file")).unwrap();
    folder.remove_all(p("file")).unwrap();
    assert!(unharmed(&root));
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let (root, folder) = place();
    let fifo = root.path().join("in/fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(folder.file(Path::new("fifo")).is_err());
    assert_eq!(folder.look(Path::new("fifo")).unwrap().kind, Kind::Other);
}

#[test]
fn links_lead_within_a_root_as_they_would_after_chroot() {
    let (root, folder) = place();
    let inside = root.path().join("in");
    create_dir_all(inside.join("usr/bin")).unwrap();
    write(inside.join("usr/bin/python3.12"), "").unwrap();
    symlink("/usr/bin/python3.12", inside.join("usr/bin/python3")).unwrap();
    symlink("../../../../out/canary", inside.join("usr/bin/canary")).unwrap();
    let found = folder.in_root(Path::new("/usr/bin/python3")).unwrap();
    assert_eq!(found.kind, Kind::File);
    let lost = folder.in_root(Path::new("/usr/bin/canary")).unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::NotFound);
}

#[test]
fn a_tree_of_any_depth_is_removed_with_few_descriptors() {
    let (root, folder) = place();
    let mut at = folder.folder(Path::new(".")).unwrap();
    for depth in 0..4 * crate::tree::DEPTH_AT_ONCE {
        // A name that the removal itself would choose.
        let name = Path::new(if depth % 2 == 0 { "a" } else { "deep-1" });
        at.make_folder(name, 0o755).unwrap();
        at.make_link(Path::new("/etc"), Path::new("link")).unwrap();
        at.new_file(Path::new("file"), 0o000).unwrap();
        at = at.folder(name).unwrap();
    }
    folder.remove_all(Path::new("a")).unwrap();
    let left = folder.entries(10).unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(unharmed(&root));
}

#[test]
fn names_in_a_folder_are_bounded() {
    let (_root, folder) = place();
    for name in ["a", "b", "c"] {
        folder.make_folder(Path::new(name), 0o755).unwrap();
    }
    assert_eq!(folder.entries(3).unwrap().len(), 3);
    assert_eq!(
        folder.entries(2).unwrap_err().kind(),
        ErrorKind::FileTooLarge
    );
}

/// One call with paths of somebody else's choice.
#[derive(Clone, Debug)]
enum Call {
    Folder(String),
    Link(String, String),
    File(String),
    Read(String),
    Rename(String, String),
    Hard(String, String),
    Remove(String),
    Into(String),
}

fn call() -> impl Strategy<Value = Call> {
    let name = || {
        prop_oneof![
            6 => prop::sample::select(vec!["a", "b", "c", "d"]),
            2 => prop::sample::select(vec!["..", ".", "", "/", "a/b", "a/../..", "../out", "a/b/c"]),
        ]
        .prop_map(str::to_owned)
    };
    let target = prop::sample::select(vec!["..", "../out", "../../out", "/", "a", "../out/canary"]);
    prop_oneof![
        name().prop_map(Call::Folder),
        (target, name()).prop_map(|(target, name)| Call::Link(target.to_owned(), name)),
        name().prop_map(Call::File),
        name().prop_map(Call::Read),
        (name(), name()).prop_map(|(a, b)| Call::Rename(a, b)),
        (name(), name()).prop_map(|(a, b)| Call::Hard(a, b)),
        name().prop_map(Call::Remove),
        name().prop_map(Call::Into),
    ]
}

#[test]
fn fuzz_beneath() {
    let calls = prop::collection::vec(call(), 1..40);
    fuzzing::run("beneath", calls, |calls| {
        let (root, top) = place();
        let mut at = top.folder(Path::new(".")).unwrap();
        for call in &calls {
            // Whether it works is the kernel's business; this test checks where it works.
            match call {
                Call::Folder(name) => drop(at.make_folder(Path::new(name), 0o755)),
                Call::Link(target, name) => {
                    drop(at.make_link(Path::new(target), Path::new(name)));
                }
                Call::File(name) => drop(at.new_file(Path::new(name), 0o644)),
                Call::Read(name) => {
                    if let Ok(mut file) = at.file(Path::new(name)) {
                        let mut text = String::new();
                        file.read_to_string(&mut text).unwrap();
                        prop_assert_ne!(text, "alive");
                    }
                }
                Call::Rename(a, b) => drop(at.rename(Path::new(a), &top, Path::new(b))),
                Call::Hard(a, b) => drop(at.hard_link(Path::new(a), &top, Path::new(b))),
                Call::Remove(name) => drop(at.remove_all(Path::new(name))),
                Call::Into(name) => at = at.folder(Path::new(name)).unwrap_or(at),
            }
        }
        prop_assert!(unharmed(&root));
        Ok(())
    });
}
