//! What is kept and how it is found again.

use std::os::unix::fs::PermissionsExt as _;

use types::Timestamp;

use super::*;

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
    let reader = store.reader();
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
        let page = reader.search(&one.scope, "/aws/lambda/f", |_| true, &search);
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
    let reader = store.reader();
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
        let page = reader.search(&scope, group, |_| true, &search).unwrap();
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
    let reader = store.reader();
    drop(store);
    let search = all(9, Direction::Forward, None);
    let page = reader.search(&name.scope, "g", |_| true, &search).unwrap();
    assert_eq!(messages(&page), ["whole", "after"]);
}

#[test]
fn more_than_there_is_room_for_is_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), Bounds::default()).unwrap();
    let huge = "x".repeat(BYTES_MAX + 1);
    store.append(&stream("g", "s"), vec![event(1, &huge)]);
    assert_eq!(store.dropped_events(), 1);
    store.append(&stream("g", "s"), vec![event(1, "small")]);
    let counts = Arc::clone(&store.counts);
    drop(store);
    assert_eq!(counts.written_events.load(Ordering::Relaxed), 1);
    assert_eq!(counts.waiting_bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn many_streams_need_few_open_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), Bounds::default()).unwrap();
    for round in 0..2 {
        for number in 0..300 {
            store.append(&stream("g", &number.to_string()), vec![event(round, "x")]);
        }
    }
    let reader = store.reader();
    drop(store);
    let scope = stream("", "").scope;
    assert_eq!(reader.streams(&scope, "g").unwrap().len(), 300);
    let search = all(999, Direction::Forward, None);
    let page = reader.search(&scope, "g", |_| true, &search).unwrap();
    assert_eq!(page.events.len(), 600);
}

/// Segments are as short as they can be.
const SMALL: Bounds = Bounds {
    group_bytes_max: 1024 * 1024,
    account_bytes_max: 2 * 1024 * 1024,
    total_bytes_max: 2 * 1024 * 1024,
    account_files_max: 1_000,
    account_groups_max: 1_000,
};

fn of(account: &str, group: &str, name: &str) -> StreamName {
    let mut stream = stream(group, name);
    stream.scope.account = types::AccountId::new(account).unwrap();
    stream
}

#[test]
fn an_accounts_logs_stay_whatever_another_writes() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        account_bytes_max: 3 * 1024 * 1024 / 2,
        ..SMALL
    };
    let store = open(folder.path().to_owned(), bounds).unwrap();
    let evidence = of("222222222222", "evidence", "s");
    store.append(&evidence, vec![event(1, &"x".repeat(300_000))]);
    let padding = "y".repeat(10_000);
    // Two others, each with as much as it may have and more: together more than all may have.
    for time in 0..1_200_u64 {
        let account = ["111111111111", "333333333333"][time as usize % 2];
        let name = of(account, ["g", "h", "i"][time as usize % 3], "s");
        store.append(&name, vec![event(time, &padding)]);
    }
    let reader = store.reader();
    drop(store);
    assert!(reader.group_bytes(&evidence.scope, "evidence").unwrap() > 300_000);
    let bytes = |account: &str| -> u64 {
        let scope = of(account, "", "").scope;
        let groups = ["evidence", "g", "h", "i"].iter();
        groups
            .map(|group| reader.group_bytes(&scope, group).unwrap())
            .sum()
    };
    let [first, second, third] = ["111111111111", "222222222222", "333333333333"].map(bytes);
    assert!(first + second + third <= bounds.total_bytes_max);
    assert!(first > 300_000 && third > 300_000, "{first} {third}");
}

#[test]
fn however_much_comes_at_once_the_disk_has_no_more_than_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    let reader = store.reader();
    // Each becomes six times as much in its file, and all of them wait together.
    let zeros = "\0".repeat(100_000);
    let name = stream("g", "s");
    for time in 0..100 {
        store.append(&name, vec![event(time, &zeros)]);
    }
    let mut most = 0;
    let began = std::time::Instant::now();
    while store.written_events() < 100 {
        most = most.max(reader.group_bytes(&name.scope, "g").unwrap());
        assert!(began.elapsed() < std::time::Duration::from_secs(60));
    }
    assert!(most <= 3 * SMALL.group_bytes_max, "{most}");
    drop(store);
}

#[tokio::test]
async fn streams_and_groups_of_an_account_have_a_number() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        account_files_max: 40,
        account_groups_max: 2,
        ..SMALL
    };
    let store = open(folder.path().to_owned(), bounds).unwrap();
    let long = "x/".repeat(200);
    for number in 0..100 {
        let name = stream("g", &format!("{long}{number}"));
        store
            .create_stream(name, Timestamp::default())
            .await
            .unwrap();
    }
    let scope = stream("", "").scope;
    let group = path::group_folder(folder.path(), &scope, "g");
    let files = std::fs::read_dir(&group).unwrap().count();
    // Two for each: one is that of its name.
    assert!((40..=80).contains(&files), "{files}");
    let create = |account: &str, group: &str| {
        store.create_stream(of(account, group, "s"), Timestamp::default())
    };
    let mine = scope.account.as_str();
    create(mine, "h").await.unwrap();
    let refused = create(mine, "i").await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::QuotaExceeded);
    create("222222222222", "i").await.unwrap();
    store
        .delete_group(scope.clone(), "h".to_owned())
        .await
        .unwrap();
    create(mine, "i").await.unwrap();
}

struct Full;

impl storage::Room for Full {
    fn is_there(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn on_a_disk_with_its_reserve_alone_nothing_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let store = LogStore::open(folder.path().to_owned(), SMALL, Arc::new(Full)).unwrap();
    store.append(&stream("g", "s"), vec![event(1, "a")]);
    let made = store.create_stream(stream("g", "t"), Timestamp::default());
    assert_eq!(made.await.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!((store.dropped_events(), store.written_events()), (1, 0));
}

fn all(limit: usize, direction: Direction, from: Option<Place>) -> Search<'static> {
    Search {
        direction,
        times: (0, u64::MAX),
        from,
        limit,
        matches: &|_| true,
    }
}

fn messages(page: &Page) -> Vec<&str> {
    let events = page.events.iter();
    events.map(|found| found.message.as_str()).collect()
}

#[test]
fn pages_of_several_streams_go_by_time_and_leave_nothing_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    let padding = "x".repeat(1_000);
    for time in 0..900_u64 {
        let name = stream("g", ["a", "b", "c"][time as usize % 3]);
        // Some come late, some at the same moment.
        let time = (time / 2) ^ 1;
        store.append(&name, vec![event(time, &padding)]);
    }
    let reader = store.reader();
    drop(store);
    let scope = stream("", "").scope;
    assert!(
        std::fs::read_dir(path::group_folder(folder.path(), &scope, "g"))
            .unwrap()
            .count()
            > 3
    );
    let mut found = Vec::new();
    let mut from = None;
    loop {
        let search = all(70, Direction::Forward, from);
        let page = reader.search(&scope, "g", |_| true, &search).unwrap();
        assert!(page.events.len() <= 70);
        found.extend(page.events);
        match page.rest {
            Some(rest) => from = Some(rest),
            None => break,
        }
    }
    assert_eq!(found.len(), 900);
    assert!(found.is_sorted_by_key(|found| found.place.clone()));
    let times = Search {
        times: (100, 110),
        ..all(1_000, Direction::Forward, None)
    };
    let page = reader.search(&scope, "g", |_| true, &times).unwrap();
    assert_eq!((page.events.len(), page.rest), (20, None));
    let one = reader.search(
        &scope,
        "g",
        |name| name == "a",
        &all(1_000, Direction::Forward, None),
    );
    assert_eq!(one.unwrap().events.len(), 300);
}

#[test]
fn a_stream_is_read_backwards_as_forwards() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    let name = stream("g", "s");
    let texts: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    store.append(&name, texts.iter().map(|text| event(5, text)).collect());
    let reader = store.reader();
    drop(store);
    let read = |direction, from: Option<Place>| {
        let search = all(4, direction, from);
        reader.search(&name.scope, "g", |_| true, &search).unwrap()
    };
    let last = read(Direction::Backward, None);
    assert_eq!(messages(&last), ["6", "7", "8", "9"]);
    let before = read(Direction::Backward, Some(last.events[0].place.clone()));
    assert_eq!(messages(&before), ["2", "3", "4", "5"]);
    let first = read(Direction::Backward, before.rest.clone());
    assert_eq!(messages(&first), ["0", "1"]);
    assert_eq!(first.rest, None);
    let next = read(
        Direction::Forward,
        Some(first.events[1].place.clone().next()),
    );
    assert_eq!(messages(&next), ["2", "3", "4", "5"]);
}

#[test]
fn what_was_written_longest_ago_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    let padding = "x".repeat(10_000);
    for time in 0..1_000 {
        store.append(&stream("g", "s"), vec![event(time, &padding)]);
    }
    let reader = store.reader();
    drop(store);
    let scope = stream("", "").scope;
    let bytes = reader.group_bytes(&scope, "g").unwrap();
    assert!(
        bytes <= SMALL.group_bytes_max && bytes > SMALL.group_bytes_max / 2,
        "{bytes}"
    );
    let newest = reader.search(&scope, "g", |_| true, &all(1, Direction::Backward, None));
    assert_eq!(newest.unwrap().events[0].place.time, 999);
    // A new run knows what is there, and its positions go on.
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    for group in ["h", "i", "j"] {
        for time in 0..80 {
            store.append(&stream(group, "s"), vec![event(time, &padding)]);
        }
    }
    let reader = store.reader();
    drop(store);
    let groups = ["g", "h", "i", "j"];
    let total: u64 = groups
        .map(|group| reader.group_bytes(&scope, group).unwrap())
        .iter()
        .sum();
    assert!(total <= SMALL.total_bytes_max, "{total}");
    assert_eq!(reader.group_bytes(&scope, "j").unwrap() / 10_000, 80);
}

#[tokio::test]
async fn streams_and_groups_come_and_go_as_they_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    let reader = store.reader();
    let long = "x/".repeat(250);
    let name = stream(&long, &long);
    let now = Timestamp::from_millis(77);
    assert!(store.create_stream(name.clone(), now).await.unwrap());
    assert!(!store.create_stream(name.clone(), now).await.unwrap());
    let described = reader.describe(&name.scope, &long, |_| true).unwrap();
    assert_eq!((described[0].created, described[0].times), (77, None));
    let line = |time, ingested, message: &str| Line {
        time: Timestamp::from_millis(time),
        ingested: Some(Timestamp::from_millis(ingested)),
        message: message.to_owned(),
    };
    let lines = vec![line(5, 90, "five"), line(9, 90, "nine")];
    store.put(name.clone(), lines).await.unwrap();
    let described = reader.describe(&name.scope, &long, |_| true).unwrap();
    let facts = &described[0];
    assert_eq!(
        (facts.created, facts.times, facts.ingested),
        (77, Some((5, 9)), Some(90))
    );
    assert!(store.delete_stream(name.clone()).await.unwrap());
    assert!(!store.delete_stream(name.clone()).await.unwrap());
    assert!(reader.streams(&name.scope, &long).unwrap().is_empty());
    // What comes later does not look like what was there before.
    store
        .put(name.clone(), vec![line(1, 1, "anew")])
        .await
        .unwrap();
    let page = reader.search(
        &name.scope,
        &long,
        |_| true,
        &all(9, Direction::Forward, None),
    );
    assert_eq!(messages(&page.unwrap()), ["anew"]);
    store
        .delete_group(name.scope.clone(), long.clone())
        .await
        .unwrap();
    assert!(reader.groups(&name.scope).unwrap().is_empty());
    store.delete_group(name.scope.clone(), long).await.unwrap();
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
    store.expire(
        old.scope.clone(),
        "g".to_owned(),
        Timestamp::from_millis(2_000_000),
    );
    // It is open, and goes on in a new file.
    store.append(&old, vec![event(3_000_000, "after")]);
    let reader = store.reader();
    drop(store);
    assert!(!path.exists());
    assert_eq!(reader.streams(&old.scope, "g").unwrap(), ["new", "old"]);
    let page = reader.search(&old.scope, "g", |_| true, &all(9, Direction::Forward, None));
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
            let page = reader.search(&name.scope, "g", |_| true, &search);
            prop_assert!(page.unwrap().events.len() <= 3);
        }
        reader.describe(&name.scope, "g", |_| true).unwrap();
        Ok(())
    });
}
