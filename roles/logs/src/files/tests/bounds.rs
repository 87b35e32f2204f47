//! However much is written, what is kept has bounds.

use std::sync::atomic::Ordering;

use super::*;

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
    let reader = store.reader.clone();
    drop(store);
    let scope = stream("", "").scope;
    assert_eq!(reader.streams(&scope, "g").unwrap().len(), 300);
    let search = all(999, Direction::Forward, None);
    let page = reader.search(&scope, "g", &search).unwrap();
    assert_eq!(page.events.len(), 600);
}

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
    let reader = store.reader.clone();
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
    let reader = store.reader.clone();
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
        .delete_group(scope.clone(), "h".to_owned(), Timestamp::default())
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

#[test]
fn what_was_written_longest_ago_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    let padding = "x".repeat(10_000);
    for time in 0..1_000 {
        store.append(&stream("g", "s"), vec![event(time, &padding)]);
    }
    let reader = store.reader.clone();
    drop(store);
    let scope = stream("", "").scope;
    let bytes = reader.group_bytes(&scope, "g").unwrap();
    assert!(
        bytes <= SMALL.group_bytes_max && bytes > SMALL.group_bytes_max / 2,
        "{bytes}"
    );
    let newest = reader.search(&scope, "g", &all(1, Direction::Backward, None));
    assert_eq!(newest.unwrap().events[0].place.time, 999);
    // A new run knows what exists, and its positions continue.
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    for group in ["h", "i", "j"] {
        for time in 0..80 {
            store.append(&stream(group, "s"), vec![event(time, &padding)]);
        }
    }
    let reader = store.reader.clone();
    drop(store);
    let groups = ["g", "h", "i", "j"];
    let total: u64 = groups
        .map(|group| reader.group_bytes(&scope, group).unwrap())
        .iter()
        .sum();
    assert!(total <= SMALL.total_bytes_max, "{total}");
    assert_eq!(reader.group_bytes(&scope, "j").unwrap() / 10_000, 80);
}
