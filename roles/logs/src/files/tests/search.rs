//! What is kept, page by page.

use super::*;

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
    let reader = store.reader.clone();
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
        let page = reader.search(&scope, "g", &search).unwrap();
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
    let page = reader.search(&scope, "g", &times).unwrap();
    assert_eq!((page.events.len(), page.rest), (20, None));
    let one = Search {
        streams: Streams::one("a"),
        ..all(1_000, Direction::Forward, None)
    };
    let one = reader.search(&scope, "g", &one);
    assert_eq!(one.unwrap().events.len(), 300);
}

#[test]
fn a_stream_is_read_backwards_as_forwards() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_owned(), SMALL).unwrap();
    let name = stream("g", "s");
    let texts: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    store.append(&name, texts.iter().map(|text| event(5, text)).collect());
    let reader = store.reader.clone();
    drop(store);
    let read = |direction, from: Option<Place>| {
        let search = all(4, direction, from);
        reader.search(&name.scope, "g", &search).unwrap()
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
