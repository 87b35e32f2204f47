//! Layers over each other, kind and hostile ones.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::unpack;
use crate::unpack::tests::{Canary, Entry, archive, entries};

/// A layer of files, links (`path -> target`) and folders (`path/`).
fn layer(root: &Path, name: &str, entries: &[&str]) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir(&folder).unwrap();
    for entry in entries {
        let (path, target) = entry.split_once(" -> ").unwrap_or((entry, ""));
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match target {
            "" if entry.ends_with('/') => fs::create_dir_all(&path).unwrap(),
            "" => fs::write(&path, name).unwrap(),
            target => symlink(target, &path).unwrap(),
        }
    }
    folder
}

fn merged(layers: &[&[&str]]) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folders: Vec<Folder> = layers
        .iter()
        .enumerate()
        .map(|(at, entries)| layer(root.path(), &at.to_string(), entries))
        .map(|path| Folder::open(&path).unwrap())
        .collect();
    let into = root.path().join("into");
    fs::create_dir(&into).unwrap();
    merge(&folders, &Folder::open(&into).unwrap(), Leave::nothing()).unwrap();
    (root, into)
}

#[test]
fn what_comes_later_counts() {
    let (_root, into) = merged(&[&["a", "b/c", "b/d"], &["b/c", "e"]]);
    let text = |path: &str| fs::read_to_string(into.join(path)).unwrap();
    assert_eq!(
        [text("a"), text("b/c"), text("b/d"), text("e")],
        ["0", "1", "0", "1"]
    );
}

#[test]
fn folders_and_files_take_each_others_place() {
    let (_root, into) = merged(&[&["a/x", "b"], &["a", "b/x"]]);
    assert_eq!(fs::read_to_string(into.join("a")).unwrap(), "1");
    assert_eq!(fs::read_to_string(into.join("b/x")).unwrap(), "1");
}

#[test]
fn nothing_is_written_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    let folder = format!("a -> {target}");
    let file = format!("b -> {target}/victim");
    let (_root, into) = merged(&[&[&folder, &file], &["a/new", "b"]]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    assert_eq!(fs::read_to_string(into.join("a/new")).unwrap(), "1");
    assert_eq!(fs::read_to_string(into.join("b")).unwrap(), "1");
}

#[test]
fn the_layers_own_folders_stay_as_they_are() {
    let (root, into) = merged(&[&["a/x", "l -> a"], &["a/x", "l"]]);
    assert_eq!(fs::read_to_string(root.path().join("0/a/x")).unwrap(), "0");
    assert!(
        fs::symlink_metadata(root.path().join("0/l"))
            .unwrap()
            .is_symlink()
    );
    let mode = fs::metadata(into.join("a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn a_name_tells_the_order() {
    assert_eq!(name(&["a", "b"]), name(&["a", "b"]));
    assert_ne!(name(&["a", "b"]), name(&["b", "a"]));
}

#[test]
fn what_a_disk_keeps_for_others_is_not_merged_into() {
    let root = tempfile::tempdir().unwrap();
    let from = Folder::open(&layer(root.path(), "0", &["a/b"])).unwrap();
    fs::create_dir(root.path().join("into")).unwrap();
    let into = Folder::open(&root.path().join("into")).unwrap();
    let told = merge(&[from], &into, Leave::of_reserve(u64::MAX)).unwrap_err();
    assert_eq!(told.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn fuzz_layers() {
    let layers = prop::collection::vec(entries(6), 1..4);
    fuzzing::run("layers", layers, |layers: Vec<Vec<Entry>>| {
        let canary = Canary::new();
        let mut unpacked = Vec::new();
        for (at, entries) in layers.iter().enumerate() {
            let folder = canary.folder(&at.to_string());
            // What cannot be unpacked leaves some of itself: here it is a layer as well.
            let zip = std::io::Cursor::new(archive(entries));
            let _ = unpack::unpack(zip, &folder, Leave::nothing());
            unpacked.push((folder, canary.contents(&at.to_string())));
        }
        let folders: Vec<Folder> = (0..layers.len())
            .map(|at| canary.open(&at.to_string()))
            .collect();
        let into = canary.folder("into");
        prop_assert!(merge(&folders, &into, Leave::nothing()).is_ok());
        for (at, (_, before)) in unpacked.iter().enumerate() {
            prop_assert_eq!(&canary.contents(&at.to_string()), before);
        }
        let most: usize = unpacked.iter().map(|(_, contents)| contents.len()).sum();
        prop_assert!(canary.contents("into").len() <= most);
        // What the last layer has is there.
        let all = canary.contents("into");
        if let Some((_, last)) = unpacked.last() {
            prop_assert!(last.iter().all(|entry| all.contains(entry)));
        }
        prop_assert!(canary.is_alive(layers.len() + 1));
        Ok(())
    });
}
