//! What is in a segment, and what is not treated as one.

use proptest::prelude::*;

use super::name::{Maker, SegmentName};
use super::segment::{cut, read};
use super::*;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0..3_u64, 0..4_usize, any::<(u64, u64)>(), ".{0,9}").prop_map(
        |(days, stream, (number, received), message)| Event {
            time: NOW + days * name::SPAN_MAX + number % 100,
            stream: ["", "a", "b\n\"", "ü"][stream].into(),
            id: EventId { taker: 7, number },
            received: received % TIME_MAX,
            message,
        },
    );
    prop::collection::vec(event, 0..20).prop_map(|mut events| {
        events.sort_by_cached_key(Event::place);
        events
    })
}

proptest! {
    #[test]
    fn what_was_cut_is_read_back(events in events()) {
        let mut back = Vec::new();
        for (name, bytes) in cut("g", &events, Writer::Taker) {
            let leaf = Leaf::Segment(name);
            prop_assert_eq!(name::leaf(&leaf.to_string()), Some(leaf));
            back.extend(read(&name, "g", &bytes).unwrap().events);
            // It is of no other group.
            prop_assert!(read(&name, "h", &bytes).is_err());
        }
        prop_assert_eq!(back, events);
    }
}

#[test]
fn fuzz_log_segments() {
    let head = prop_oneof![
        any::<Vec<u8>>(),
        Just(br#"{"group":"g","streams":["a","b"],"takers":[7],"replaces":["x"]}"#.to_vec()),
    ];
    let row = prop_oneof![
        any::<Vec<u8>>(),
        "\\{\"s\":[0-3],\"k\":[01],\"n\":[0-9]{1,25},\"t\":[0-9]{1,3}(,\"i\":[0-9]{1,25})?,\"m\":\".{0,9}\"\\}"
            .prop_map(String::into_bytes),
    ];
    let input = (head, prop::collection::vec(row, 0..5), 0..3_u64);
    fuzzing::run("log_segments", input, |(head, rows, more)| {
        let lines: Vec<Vec<u8>> = std::iter::once(head).chain(rows).collect();
        let bytes = lines.join(&b'\n');
        let name = SegmentName {
            first: 5,
            last: 500,
            received: TIME_MAX,
            bytes: bytes.len() as u64 + more / 2,
            maker: Maker::Taker(7, 0),
        };
        if let Ok(segment) = read(&name, "g", &bytes) {
            let fits = |event: &Event| event.id.taker == 7 && (5..=500).contains(&event.time);
            prop_assert!(segment.events.iter().all(fits));
        }
        Ok(())
    });
}

#[tokio::test(start_paused = true)]
async fn what_a_hostile_worker_puts_is_left_out_and_costs_the_others_nothing() {
    let world = World::new();
    let store = world.store();
    let lines = vec![line(world.now(), "good")];
    store.put(named("s"), lines).await.unwrap();
    let [good] = world.segments().await[..] else {
        panic!("one was put");
    };
    let good_blob = &world.names().await[0];
    let bytes = world.blobs.get(good_blob).await.unwrap().unwrap();
    let put = async |group: &str, name: SegmentName, bytes: &[u8]| {
        let blob = format!(
            "{}{}",
            name::group_prefix(&scope(), group),
            Leaf::Segment(name)
        );
        let bytes = Bytes::copy_from_slice(bytes);
        world.blobs.put(&blob, bytes).await.unwrap();
    };
    // Another group's, a lie about the times, about the taker, about the length, and no segment at all.
    put("other", good, &bytes).await;
    let early = SegmentName {
        first: 1,
        last: 2,
        ..good
    };
    put(GROUP, early, &bytes).await;
    let maker = Maker::Taker(1, 1);
    put(GROUP, SegmentName { maker, ..good }, &bytes).await;
    put(GROUP, SegmentName { bytes: 5, ..good }, &bytes).await;
    let garbage = SegmentName { bytes: 7, ..good };
    put(GROUP, garbage, b"garbage").await;
    let empty = SegmentName { bytes: 0, ..good };
    put(GROUP, empty, b"").await;
    let huge = vec![0; 17 << 20];
    let maker = Maker::Merge(1, 1);
    put(GROUP, SegmentName { maker, ..good }, &huge).await;
    // What says that it replaces what it does not have.
    let lie = format!(
        "{{\"group\":\"{GROUP}\",\"streams\":[],\"takers\":[],\"replaces\":[\"{good}\"]}}\n"
    );
    let lying = SegmentName {
        bytes: lie.len() as u64,
        maker: Maker::Merge(2, 2),
        ..good
    };
    put(GROUP, lying, lie.as_bytes()).await;
    for hours in [0, 1, 30] {
        world.pass(Duration::from_secs(hours * 3_600)).await;
        store.tend(&|_, _| Timestamp::default()).await;
        // One that has not read anything yet.
        let store = world.store();
        assert_eq!(read_all(&store).await, ["good"]);
        assert!(page(&store, "other", 9, None).await.events.is_empty());
        let described = store.describe(&scope(), GROUP, Streams::all()).await;
        assert_eq!(described.unwrap().len(), 1);
    }
}

async fn read_all(store: &SharedStore) -> Vec<String> {
    super::read(store, Streams::all()).await
}
