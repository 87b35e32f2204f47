//! The names of blobs.

use proptest::prelude::*;

use super::name::{Component, Maker, SPAN_MAX, SegmentName, group_prefix, leaf, split};
use super::*;

fn segment() -> impl Strategy<Value = SegmentName> {
    let maker = prop_oneof![
        (any::<u64>(), any::<u64>()).prop_map(|(taker, number)| Maker::Taker(taker, number)),
        (any::<u64>(), any::<u64>()).prop_map(|(merge, made)| Maker::Merge(merge, made)),
    ];
    let times = (0..TIME_MAX - SPAN_MAX, 0..=SPAN_MAX, 0..=TIME_MAX);
    (times, 0..=name::SEGMENT_BYTES_MAX, maker).prop_map(
        |((first, span, received), bytes, maker)| SegmentName {
            first,
            last: first + span,
            received,
            bytes,
            maker,
        },
    )
}

fn some_leaf() -> impl Strategy<Value = Leaf> {
    let time = 0..=TIME_MAX;
    prop_oneof![
        segment().prop_map(Leaf::Segment),
        segment().prop_map(Leaf::Index),
        (any::<[u8; 16]>(), time.clone()).prop_map(|(stream, at)| Leaf::Created(stream, at)),
        (any::<[u8; 16]>(), time.clone()).prop_map(|(stream, at)| Leaf::Deleted(stream, at)),
        time.prop_map(Leaf::GroupDeleted),
    ]
}

proptest! {
    #[test]
    fn a_name_says_whose_it_is_and_what(
        group: String,
        region in "[a-z0-9-]{1,32}",
        given in some_leaf(),
    ) {
        let scope = Scope { region: types::Region::new(&region).unwrap(), ..scope() };
        let blob = format!("{}{given}", group_prefix(&scope, &group));
        prop_assert!(storage::blobs::check_name(&blob).is_ok(), "{blob}");
        let (whose, component, text) = split(&blob).unwrap();
        prop_assert_eq!(whose, scope);
        prop_assert_eq!(leaf(text), Some(given));
        if let Component::Plain(name) = component {
            prop_assert_eq!(name, group);
        }
    }

    #[test]
    fn segments_are_listed_by_their_first_event_and_before_what_else_there_is(
        one in segment(),
        two in segment(),
        other in some_leaf(),
    ) {
        let (a, b) = (one.to_string(), two.to_string());
        prop_assert!(one.first >= two.first || a < b);
        if !matches!(other, Leaf::Segment(_)) {
            prop_assert!(a < other.to_string());
        }
    }
}

#[test]
fn fuzz_log_blob_names() {
    let near = "logs/[0-9]{11,13}/[a-z0-9-]{0,4}/[nhx](\\.[0-9A-Fa-fé]{0,3}|[a-z]){0,4}/";
    let inside = "([0-9a-f]{11}-){3}[0-9a-f]{6,8}-[wmx][0-9a-f]{16}-[0-9a-f]{15,17}|[im]-.{0,60}";
    let input = prop_oneof![
        any::<String>(),
        (near, inside).prop_map(|(group, leaf)| group + &leaf),
    ];
    fuzzing::run("log_blob_names", input, |text| {
        let leaf = leaf(text.rsplit('/').next().unwrap_or_default());
        // What is read is what would be written.
        if let (Some((scope, Component::Plain(group), rest)), Some(leaf)) = (split(&text), leaf)
            && !rest.contains('/')
        {
            let blob = format!("{}{leaf}", group_prefix(&scope, &group));
            prop_assert_eq!(blob, text);
        }
        Ok(())
    });
}

#[tokio::test]
async fn groups_are_found_by_whatever_names_they_have() {
    let world = World::new();
    let store = world.store();
    let long = "x/".repeat(250);
    let mut names = vec!["", ".", "..", "a", "a-b", "a.b", "a/b", "a0", "ü", &long];
    let scope = scope();
    for group in &names {
        for stream in ["s", &long] {
            let stream = StreamName {
                scope: scope.clone(),
                group: (*group).to_owned(),
                stream: stream.to_owned(),
            };
            let lines = vec![line(world.now(), group)];
            store.put(stream, lines).await.unwrap();
        }
    }
    let mut found = store.groups(&scope).await.unwrap();
    found.sort();
    names.sort();
    assert_eq!(found, names);
    for group in names {
        let page = store.search(&scope, group, all(9, Direction::Forward, None));
        let events = page.await.unwrap().events;
        assert_eq!(events.len(), 2);
        assert!(events.iter().all(|found| found.message == group));
        let described = store.describe(&scope, group, Streams::all()).await.unwrap();
        let streams: Vec<&str> = described.iter().map(|facts| facts.name.as_str()).collect();
        assert_eq!(streams, ["s", &long]);
    }
}
