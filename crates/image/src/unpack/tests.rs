//! Archives made to do harm, and archives that are just as they should be.

use std::io::Write as _;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

type Writer = ZipWriter<Cursor<Vec<u8>>>;

fn archive(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut writer);
    writer.finish().unwrap().into_inner()
}

fn file(writer: &mut Writer, name: &str, mode: u32, text: &str) {
    let options = SimpleFileOptions::default().unix_permissions(mode);
    writer.start_file(name, options).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
}

fn unpacked(zip: &[u8]) -> (tempfile::TempDir, Result<(), Error>) {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("in");
    fs::create_dir(&inner).unwrap();
    let result = unpack(zip, &inner);
    (folder, result)
}

#[test]
fn files_keep_their_content_and_mode_without_set_id_bits() {
    let zip = archive(|w| {
        file(w, "a/b.py", 0o644, "print()");
        file(w, "bootstrap", 0o4755, "#!/bin/sh");
    });
    let (folder, result) = unpacked(&zip);
    result.unwrap();
    let inner = folder.path().join("in");
    assert_eq!(fs::read_to_string(inner.join("a/b.py")).unwrap(), "print()");
    let mode = fs::metadata(inner.join("bootstrap"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../x", "/etc/x", "a/../../x"] {
        let zip = archive(|w| file(w, name, 0o644, "x"));
        assert!(check(&zip).is_err(), "{name}");
        let (folder, result) = unpacked(&zip);
        assert!(result.is_err(), "{name}");
        assert!(!folder.path().join("x").exists(), "{name}");
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let zip = archive(|w| {
        w.add_symlink("out", "/tmp", SimpleFileOptions::default())
            .unwrap();
        file(w, "out/lambent-escape", 0o644, "x");
    });
    let (_folder, result) = unpacked(&zip);
    assert!(result.is_err());
    assert!(!Path::new("/tmp/lambent-escape").exists());
}

#[test]
fn what_is_no_archive_is_refused() {
    assert!(matches!(check(b"not a zip"), Err(Error::NotAZip(_))));
    assert!(matches!(check(b""), Err(Error::NotAZip(_))));
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let zip = archive(|w| {
        let options = SimpleFileOptions::default().large_file(false);
        w.start_file("zeros", options).unwrap();
        let block = vec![0; 1 << 20];
        for _ in 0..=UNZIPPED_BYTES_MAX >> 20 {
            w.write_all(&block).unwrap();
        }
    });
    assert!(zip.len() < 2 << 20);
    assert!(matches!(check(&zip), Err(Error::TooLarge { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_archives_never_panic(at in 0usize..200, with in any::<u8>()) {
        let mut zip = archive(|w| {
            file(w, "a.py", 0o644, "import os");
            file(w, "b/c.py", 0o644, "import sys");
        });
        let at = at % zip.len();
        zip[at] = with;
        let _ = check(&zip);
        let (_folder, _result) = unpacked(&zip);
    }
}
