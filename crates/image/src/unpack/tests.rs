//! Archives made to do harm, and archives that are just as they should be.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// A folder next to others that nothing may touch: `etc` with a file, and a link to it.
pub(crate) struct Canary(tempfile::TempDir);

impl Canary {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/shadow"), "alive").unwrap();
        fs::set_permissions(
            root.path().join("etc/shadow"),
            PermissionsExt::from_mode(0o600),
        )
        .unwrap();
        Self(root)
    }

    /// A new folder next to it.
    pub(crate) fn folder(&self, name: &str) -> Folder {
        fs::create_dir(self.0.path().join(name)).unwrap();
        self.open(name)
    }

    pub(crate) fn open(&self, name: &str) -> Folder {
        Folder::open(&self.0.path().join(name)).unwrap()
    }

    /// Whether nothing has changed but the folders made by [`Self::folder`], of which there are `folders`.
    pub(crate) fn is_alive(&self, folders: usize) -> bool {
        let etc = self.0.path().join("etc");
        let shadow = fs::metadata(etc.join("shadow")).unwrap();
        fs::read_to_string(etc.join("shadow")).unwrap() == "alive"
            && (shadow.mode() & 0o7777, shadow.nlink()) == (0o600, 1)
            && fs::read_dir(&etc).unwrap().count() == 1
            && fs::read_dir(self.0.path()).unwrap().count() == folders + 1
            // Where the entries' absolute paths and links would lead.
            && !Path::new("/lambent-canary").exists()
            && !Path::new("/tmp/lambent-canary").exists()
    }

    /// Paths of all that is below a folder, by a walk that follows no link.
    pub(crate) fn contents(&self, name: &str) -> BTreeSet<PathBuf> {
        fn walk(folder: &Path, path: &Path, found: &mut BTreeSet<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let path = path.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), &path, found);
                }
                found.insert(path);
            }
        }
        let mut found = BTreeSet::new();
        walk(&self.0.path().join(name), Path::new(""), &mut found);
        found
    }

    fn bytes(&self, name: &str) -> u64 {
        let sizes = self.contents(name).into_iter().map(|path| {
            let facts = fs::symlink_metadata(self.0.path().join(name).join(path)).unwrap();
            if facts.is_file() { facts.len() } else { 0 }
        });
        sizes.sum()
    }
}

/// An entry of an archive.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    File(String, u32, Vec<u8>),
    Folder(String),
    Link(String, String),
}

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        12 => prop::sample::select(vec!["a", "b", "c"]),
        3 => prop::sample::select(vec!["..", ".", "", "etc", "shadow", "lambent-canary", "tmp"]),
        1 => prop::sample::select(vec!["\u{202e}x", "a\\b", "C:", "%2e%2e", "-rf", "a\nb", " ", "..."]),
    ];
    let parts = prop::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"));
    prop_oneof![
        12 => parts.clone(),
        1 => parts.prop_map(|parts| format!("/{parts}")),
        1 => Just("x".repeat(256)),
        1 => Just("d/".repeat(65) + "x"),
    ]
}

/// Up to `most` entries, such as an attacker would choose.
pub(crate) fn entries(most: usize) -> impl Strategy<Value = Vec<Entry>> {
    let target = prop::sample::select(vec![
        "..",
        ".",
        "/",
        "../etc",
        "../etc/shadow",
        "../../etc",
        "a",
        "b/c",
        "../a",
        "/tmp",
        "/etc",
    ]);
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let entry = prop_oneof![
        3 => (path(), 0..0o200_000_u32, bytes).prop_map(|(path, mode, bytes)| {
            Entry::File(path, mode, bytes)
        }),
        2 => path().prop_map(Entry::Folder),
        3 => (path(), target).prop_map(|(path, target)| Entry::Link(path, target.to_owned())),
    ];
    prop::collection::vec(entry, 0..most)
}

pub(crate) fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = SimpleFileOptions::default();
        // The writer refuses the same name twice, and so leaves some out.
        match entry {
            Entry::File(path, mode, bytes) => {
                if writer
                    .start_file(path, options.unix_permissions(*mode))
                    .is_ok()
                {
                    writer.write_all(bytes).unwrap();
                }
            }
            Entry::Folder(path) => drop(writer.add_directory(path, options)),
            Entry::Link(path, target) => drop(writer.add_symlink(path, target, options)),
        }
    }
    writer.finish().unwrap().into_inner()
}

fn file(path: &str, mode: u32, text: &str) -> Entry {
    Entry::File(path.to_owned(), mode, text.as_bytes().to_vec())
}

fn link(path: &str, target: &str) -> Entry {
    Entry::Link(path.to_owned(), target.to_owned())
}

fn unpacked(zip: &[u8]) -> (Canary, Result<(), Error>) {
    let canary = Canary::new();
    let folder = canary.folder("in");
    let result = unpack(Cursor::new(zip), &folder, Leave::nothing());
    (canary, result)
}

#[test]
fn files_keep_their_content_and_mode_without_set_id_bits() {
    let zip = archive(&[
        file("a/b.py", 0o644, "print()"),
        file("bootstrap", 0o4755, "#!/bin/sh"),
        link("a/to", "../bootstrap"),
        file("a/secret", 0o000, "x"),
    ]);
    let (canary, result) = unpacked(&zip);
    result.unwrap();
    let inner = canary.0.path().join("in");
    assert_eq!(fs::read_to_string(inner.join("a/b.py")).unwrap(), "print()");
    let mode = |name: &str| fs::metadata(inner.join(name)).unwrap().mode() & 0o7777;
    let modes = ["a", "a/b.py", "bootstrap", "a/secret"].map(mode);
    assert_eq!(modes, [0o755, 0o644, 0o755, 0]);
    let target = fs::read_link(inner.join("a/to")).unwrap();
    assert_eq!(target, Path::new("../bootstrap"));
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../x", "/etc/x", "a/../../x"] {
        let zip = archive(&[file(name, 0o644, "x")]);
        assert!(check(Cursor::new(&zip)).is_err(), "{name}");
        let (canary, result) = unpacked(&zip);
        assert!(result.is_err(), "{name}");
        assert!(canary.is_alive(1), "{name}");
    }
}

#[test]
fn nothing_is_made_through_a_link_of_the_archive() {
    let below = [
        file("out/lambent-canary", 0o644, "x"),
        link("out/lambent-canary", "/etc/passwd"),
        Entry::Folder("out/new/deep".to_owned()),
        link("out/new/link", "x"),
    ];
    for entry in below {
        for target in ["../etc", "/tmp", "."] {
            for order in [[0, 1], [1, 0]] {
                let both = [link("out", target), entry.clone()];
                let zip = archive(&order.map(|at: usize| both[at].clone()));
                let told = check(Cursor::new(&zip)).unwrap_err().to_string();
                assert!(told.contains("link"), "{entry:?}: {told}");
                let (canary, result) = unpacked(&zip);
                assert!(result.is_err() && canary.is_alive(1), "{entry:?}");
            }
        }
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    assert!(matches!(
        check(Cursor::new(b"not a zip")),
        Err(Error::NotAZip)
    ));
    assert!(matches!(check(Cursor::new(b"")), Err(Error::NotAZip)));
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().large_file(false);
    writer.start_file("zeros", options).unwrap();
    let block = vec![0; 1 << 20];
    for _ in 0..=UNZIPPED_BYTES_MAX >> 20 {
        writer.write_all(&block).unwrap();
    }
    let zip = writer.finish().unwrap().into_inner();
    assert!(zip.len() < 2 << 20);
    assert!(matches!(
        check(Cursor::new(&zip)),
        Err(Error::TooLarge { .. })
    ));
}

#[test]
fn a_package_of_folders_stops_at_the_limit() {
    let deep = |n: usize| Entry::Folder(format!("{n}/{}", "a/".repeat(60)));
    let zip = archive(&(0..1_100).map(deep).collect::<Vec<_>>());
    assert!(zip.len() < 400_000);
    assert!(matches!(
        check(Cursor::new(&zip)),
        Err(Error::TooLarge { .. })
    ));
    let (canary, result) = unpacked(&zip);
    assert!(matches!(result, Err(Error::TooLarge { .. })));
    assert_eq!(
        canary.contents("in").len(),
        0,
        "refused before anything is made"
    );
}

#[test]
fn what_a_disk_keeps_for_others_is_not_unpacked_into() {
    let zip = archive(&[file("a", 0o644, "x"), Entry::Folder("b/c".to_owned())]);
    let canary = Canary::new();
    let folder = canary.folder("in");
    let result = unpack(Cursor::new(&zip), &folder, Leave::of_reserve(u64::MAX));
    let told = result.unwrap_err();
    assert!(matches!(told, Error::NoRoom) && !told.is_package());
    assert_eq!(canary.contents("in").len(), 0);
}

#[test]
fn fuzz_unpack() {
    fuzzing::run("unpack", entries(12), |entries| {
        let zip = archive(&entries);
        let checked = check(Cursor::new(&zip));
        let (canary, result) = unpacked(&zip);
        prop_assert!(canary.is_alive(1));
        let contents = canary.contents("in");
        match (checked, result) {
            (Ok(bytes), Ok(())) => {
                prop_assert!(contents.len() as u64 * ENTRY_BYTES_MIN <= bytes);
                prop_assert!(canary.bytes("in") <= bytes);
            }
            // The target of a link is checked only when the link is created.
            (Ok(_), Err(Error::BadEntry { .. })) => {}
            (Err(_), Err(_)) => prop_assert_eq!(contents.len(), 0),
            (checked, result) => prop_assert!(false, "{:?} but {:?}", checked, result),
        }
        Ok(())
    });
}

#[test]
fn fuzz_zip_bytes() {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    let random = prop::collection::vec(any::<u8>(), 0..300);
    let input = (entries(6), damage, any::<prop::sample::Index>(), random);
    fuzzing::run("zip_bytes", input, |(entries, damage, cut, random)| {
        let mut zip = archive(&entries);
        for (at, byte) in damage {
            let at = at.index(zip.len());
            zip[at] = byte;
        }
        zip.splice(
            ..cut.index(zip.len()).min(20),
            random.iter().copied().take(20),
        );
        for zip in [zip, random] {
            let (canary, _) = unpacked(&zip);
            prop_assert!(canary.is_alive(1));
            prop_assert!(canary.bytes("in") <= UNZIPPED_BYTES_MAX);
        }
        Ok(())
    });
}
