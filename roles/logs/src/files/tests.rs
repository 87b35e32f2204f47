//! What is kept and how it is found again.

use std::os::unix::fs::PermissionsExt as _;

use types::Timestamp;

use super::reader::LogReader;
use super::*;
use crate::search::{Direction, Page, Place, Search, Streams};
use crate::store::{Line, Store as _};

mod bounds;
mod search;

fn stream(group: &str, stream: &str) -> StreamName {
    StreamName {
        scope: records::examples::scope(),
        group: group.to_owned(),
        stream: stream.to_owned(),
    }
}

/// On a disk that is never full.
fn open(folder: PathBuf, bounds: Bounds) -> io::Result<LogStore> {
    LogStore::open(folder, bounds, Arc::new(storage::Boundless))
}

fn event(time: u64, message: &str) -> LogEvent {
    LogEvent {
        time: Timestamp::from_millis(time),
        message: message.to_owned(),
    }
}

#[test]
fn what_was_appended_is_read_back_in_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().join("logs"), Bounds::default()).unwrap();
    let reader = store.reader.clone();
    let (one, two) = (
        stream("/aws/lambda/f", "a/[1]x"),
        stream("/aws/lambda/f", "b"),
    );
    store.append(&one, vec![event(1, "first\n"), event(3, "third\n\"é")]);
    store.append(&two, vec![event(2, "second\n")]);
    drop(store);
    assert_eq!(reader.groups(&one.scope).unwrap(), ["/aws/lambda/f"]);
    assert_eq!(
        reader.streams(&one.scope, "/aws/lambda/f").unwrap(),
        ["a/[1]x", "b"]
    );
    let search = Search {
        times: (2, u64::MAX),
        ..all(9, Direction::Forward, None)
    };
    let find = || {
        let page = reader.search(&one.scope, "/aws/lambda/f", &search);
        let events = page.unwrap().events.into_iter();
        let pairs = events.map(|found| (found.place.stream.to_string(), found.message));
        pairs.collect::<Vec<_>>()
    };
    let pair = |stream: &str, message: &str| (stream.to_owned(), message.to_owned());
    let mut expected = vec![pair("b", "second\n"), pair("a/[1]x", "third\n\"é")];
    assert_eq!(find(), expected);
    let again = open(folder.path().join("logs"), Bounds::default()).unwrap();
    again.append(&two, vec![event(9, "later")]);
    drop(again);
    expected.push(pair("b", "later"));
    assert_eq!(find(), expected);
}

#[test]
fn hostile_names_stay_in_the_folder_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("logs");
    let store = open(root.clone(), Bounds::default()).unwrap();
    let long = "ü/".repeat(200);
    let names = [
        "..",
        ".",
        "",
        "../../../../tmp/x",
        "/etc/passwd",
        "a\0b",
        "~x",
        "%2E",
        &long,
    ];
    for group in names {
        for name in names {
            store.append(&stream(group, name), vec![event(1, group)]);
        }
    }
    let reader = store.reader.clone();
    drop(store);
    let outside = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(outside, 1, "only the log folder itself");
    let scope = stream("", "").scope;
    let groups = reader.groups(&scope).unwrap();
    let mut expected = names.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(groups, expected);
    for group in names {
        assert_eq!(reader.streams(&scope, group).unwrap(), expected);
        let search = all(999, Direction::Forward, None);
        let page = reader.search(&scope, group, &search).unwrap();
        assert_eq!(page.events.len(), names.len());
        assert!(page.events.iter().all(|found| found.message == group));
    }
    let mode = std::fs::metadata(&root).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_line_torn_by_a_crash_costs_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let name = stream("g", "s");
    let store = open(folder.path().to_owned(), Bounds::default()).unwrap();
    store.append(&name, vec![event(1, "whole")]);
    drop(store);
    let file = path::segment_file(folder.path(), &name, 0);
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("{\"t\":2,\"m\":\"to");
    std::fs::write(&file, text).unwrap();
    let store = open(folder.path().to_owned(), Bounds::default()).unwrap();
    store.append(&name, vec![event(3, "after")]);
    let reader = store.reader.clone();
    drop(store);
    let search = all(9, Direction::Forward, None);
    let page = reader.search(&name.scope, "g", &search).unwrap();
    assert_eq!(messages(&page), ["whole", "after"]);
}

/// Segments are as short as they can be.
const SMALL: Bounds = Bounds {
    group_bytes_max: 1024 * 1024,
    account_bytes_max: 2 * 1024 * 1024,
    total_bytes_max: 2 * 1024 * 1024,
    account_files_max: 1_000,
    account_groups_max: 1_000,
};

fn all(limit: usize, direction: Direction, from: Option<Place>) -> Search {
    Search {
        direction,
        times: (0, u64::MAX),
        from,
        limit,
        streams: Streams::all(),
        matches: None,
    }
}

fn messages(page: &Page) -> Vec<&str> {
    let events = page.events.iter();
    events.map(|found| found.message.as_str()).collect()
}

#[tokio::test]
async fn streams_and_groups_come_and_go_as_they_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    let reader = store.reader.clone();
    let long = "x/".repeat(250);
    let name = stream(&long, &long);
    let now = Timestamp::from_millis(77);
    assert!(store.create_stream(name.clone(), now).await.unwrap());
    assert!(!store.create_stream(name.clone(), now).await.unwrap());
    let described = reader
        .describe(&name.scope, &long, &Streams::all())
        .unwrap();
    assert_eq!((described[0].created, described[0].times), (77, None));
    let line = |time, ingested, message: &str| Line {
        time: Timestamp::from_millis(time),
        ingested: Some(Timestamp::from_millis(ingested)),
        message: message.to_owned(),
    };
    let lines = vec![line(5, 90, "five"), line(9, 90, "nine")];
    store.put(name.clone(), lines).await.unwrap();
    let described = reader
        .describe(&name.scope, &long, &Streams::all())
        .unwrap();
    let facts = &described[0];
    assert_eq!(
        (facts.created, facts.times, facts.ingested),
        (77, Some((5, 9)), Some(90))
    );
    assert!(store.delete_stream(name.clone(), now).await.unwrap());
    assert!(!store.delete_stream(name.clone(), now).await.unwrap());
    assert!(reader.streams(&name.scope, &long).unwrap().is_empty());
    // What comes later does not look like what existed before.
    store
        .put(name.clone(), vec![line(1, 1, "again")])
        .await
        .unwrap();
    let page = reader.search(&name.scope, &long, &all(9, Direction::Forward, None));
    assert_eq!(messages(&page.unwrap()), ["again"]);
    store
        .delete_group(name.scope.clone(), long.clone(), now)
        .await
        .unwrap();
    assert!(reader.groups(&name.scope).unwrap().is_empty());
    store
        .delete_group(name.scope.clone(), long, now)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_expired_goes_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    let (old, new) = (stream("g", "old"), stream("g", "new"));
    for name in [&old, &new] {
        assert!(
            store
                .create_stream(name.clone(), Timestamp::default())
                .await
                .unwrap()
        );
    }
    let path = path::segment_file(folder.path(), &old, 0);
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
    std::fs::File::open(&path)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    // Two hours are added: a file may hold events that are newer than itself.
    let since = Timestamp::from_millis(2_000_000 + 7_200_000);
    store.tend(&|_, _| since).await;
    // It is open, and continues in a new file.
    store.append(&old, vec![event(3_000_000, "after")]);
    let reader = store.reader.clone();
    drop(store);
    assert!(!path.exists());
    assert_eq!(reader.streams(&old.scope, "g").unwrap(), ["new", "old"]);
    let page = reader.search(&old.scope, "g", &all(9, Direction::Forward, None));
    assert_eq!(messages(&page.unwrap()), ["after"]);
}

#[test]
fn fuzz_log_files() {
    use proptest::prelude::*;
    let line = prop_oneof![
        any::<Vec<u8>>(),
        "\\{\"[tmci]\":[0-9]{1,25}(,\"m\":\".{0,9}\")?\\}".prop_map(String::into_bytes),
        any::<u64>().prop_map(|time| format!("{{\"t\":{time},\"m\":\"x\"}}").into_bytes()),
    ];
    let input = prop::collection::vec(line, 0..12);
    let folder = tempfile::tempdir().unwrap();
    let name = stream("g", "s");
    path::prepare(folder.path(), &name).unwrap();
    fuzzing::run("log_files", input, |lines| {
        let file = path::segment_file(folder.path(), &name, 0);
        std::fs::write(&file, lines.join(&b'\n')).unwrap();
        let reader = LogReader::new(folder.path().to_owned());
        for direction in [Direction::Forward, Direction::Backward] {
            let search = all(3, direction, None);
            let page = reader.search(&name.scope, "g", &search);
            prop_assert!(page.unwrap().events.len() <= 3);
        }
        reader.describe(&name.scope, "g", &Streams::all()).unwrap();
        Ok(())
    });
}
