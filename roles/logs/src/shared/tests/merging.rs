//! What is done now and then: merging, retention and room.

use super::*;

fn ever(_: &Scope, _: &str) -> Timestamp {
    Timestamp::default()
}

#[tokio::test(start_paused = true)]
async fn many_small_segments_become_few_and_nothing_is_lost() {
    let world = World::new();
    let store = world.store();
    let worker = world.worker();
    let mut expected = Vec::new();
    for number in 0..200 {
        let text = format!("{number:03}{}", "x".repeat(500));
        world.print(&worker, ["a", "b"][number % 2], &text);
        expected.push(text);
        world.pass(Duration::from_secs(2)).await;
        if number % 20 == 0 {
            store.tend(&ever).await;
        }
    }
    world.forget_workers();
    for _ in 0..4 {
        world.pass(Duration::from_secs(130)).await;
        store.tend(&ever).await;
        assert_eq!(read(&world.store(), Streams::all()).await, expected);
    }
    let segments = world.segments().await;
    assert!(segments.len() < 25, "{segments:?}");
    // An index for each merged one, and none for what is gone.
    let merged = segments.iter().filter(|name| name.is_merged()).count();
    assert_eq!(world.names().await.len(), segments.len() + merged);
    // After a day there is one.
    for _ in 0..4 {
        world.pass(Duration::from_secs(25 * 3_600)).await;
        store.tend(&ever).await;
    }
    assert_eq!(world.segments().await.len(), 1);
    assert_eq!(read(&store, Streams::all()).await, expected);
    let half = read(&store, Streams::one("b")).await;
    assert_eq!(half.len(), 100);
    let described = world
        .store()
        .describe(&scope(), GROUP, Streams::all())
        .await;
    assert_eq!(described.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_not_looked_for_where_it_is_known_not_to_be() {
    let world = World::new();
    let store = world.store();
    for stream in ["a", "b"] {
        for _ in 0..9 {
            world.pass(Duration::from_secs(1)).await;
            let lines = vec![line(world.now(), stream)];
            store.put(named(stream), lines).await.unwrap();
        }
        store.tend(&ever).await;
        world.pass(Duration::from_secs(130)).await;
        store.tend(&ever).await;
        // What is a day apart is not merged.
        world.pass(Duration::from_secs(25 * 3_600)).await;
    }
    // Of the merged ones without it only the index is read.
    let merged = world.segments().await;
    assert!(merged.len() == 2 && merged.iter().all(|name| name.is_merged()));
    let names = world.names().await;
    let first = names.iter().find(|name| name.contains("-m")).unwrap();
    world.blobs.put(first, Bytes::new()).await.unwrap();
    let fresh = world.store();
    assert_eq!(read(&fresh, Streams::one("b")).await.len(), 9);
    let names = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    assert!(fresh.has_streams(&scope(), GROUP, &names).await.unwrap());
    let names = BTreeSet::from(["c".to_owned()]);
    assert!(!fresh.has_streams(&scope(), GROUP, &names).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn who_follows_a_group_lists_it_each_time_and_gets_what_is_new_once() {
    let world = World::new();
    let store = world.store();
    for number in 0..5_u64 {
        let lines = vec![line(world.now(), "x")];
        store.put(named("s"), lines).await.unwrap();
        let before = [&world.blobs.lists, &world.blobs.gets].map(|n| n.load(Ordering::Relaxed));
        for _ in 0..10 {
            let page = page(&store, GROUP, 100, None).await;
            assert_eq!(page.events.len() as u64, number + 1);
        }
        let after = [&world.blobs.lists, &world.blobs.gets].map(|n| n.load(Ordering::Relaxed));
        assert_eq!([after[0] - before[0], after[1] - before[1]], [10, 1]);
        world.pass(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn more_blobs_than_one_list_has_are_all_found() {
    let world = World::new();
    let store = world.store();
    for group in ["a", "b"] {
        for _ in 0..2_100 {
            let stream = StreamName {
                group: group.to_owned(),
                ..named("s")
            };
            store
                .put(stream, vec![line(world.now(), "x")])
                .await
                .unwrap();
        }
    }
    assert_eq!(page(&store, "a", 10_000, None).await.events.len(), 2_100);
    assert_eq!(store.groups(&scope()).await.unwrap(), ["a", "b"]);
    for _ in 0..3 {
        store.tend(&ever).await;
        world.pass(Duration::from_secs(130)).await;
    }
    assert!(world.segments().await.len() < 20);
    assert_eq!(page(&store, "b", 10_000, None).await.events.len(), 2_100);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_goes() {
    let world = World::new();
    let store = world.store();
    for text in ["old", "new"] {
        let lines = vec![line(world.now(), text)];
        store.put(named("s"), lines).await.unwrap();
        world.pass(Duration::from_secs(3_600)).await;
    }
    let since = Timestamp::from_millis(NOW + 1);
    store.tend(&|_, _| since).await;
    assert_eq!(world.segments().await.len(), 1);
    assert_eq!(read(&store, Streams::all()).await, ["new"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_makes_room_in_itself() {
    let world = World::new();
    let bounds = Bounds {
        group_bytes_max: 6_000,
        account_bytes_max: 1_000_000,
        total_bytes_max: 14_000,
        account_files_max: 1_000,
        account_groups_max: 1_000,
    };
    let store = world.store_with(bounds);
    let scopes = ["000000000000", "111111111111"].map(|account| Scope {
        account: types::AccountId::new(account).unwrap(),
        ..scope()
    });
    let put = async |scope: &Scope, group: &str, number: usize| {
        let stream = StreamName {
            scope: scope.clone(),
            group: group.to_owned(),
            stream: "s".to_owned(),
        };
        let text = format!("{number}{}", "x".repeat(800));
        let lines = vec![line(world.now(), &text)];
        store.put(stream, lines).await.unwrap();
        world.pass(Duration::from_secs(1)).await;
    };
    put(&scopes[1], "small", 0).await;
    for group in ["a", "b", "c"] {
        for number in 0..6 {
            put(&scopes[0], group, number).await;
        }
    }
    store.tend(&ever).await;
    let mut total = 0;
    let small = store.group_bytes(&scopes[1], "small").await.unwrap();
    assert!(small > 0, "another account's is what makes room");
    for group in ["a", "b", "c"] {
        let bytes = store.group_bytes(&scopes[0], group).await.unwrap();
        assert!(bytes <= 6_000, "{bytes}");
        total += bytes;
    }
    assert!(total + small <= 14_000, "{total}");
    // What remains is the newest.
    let page = store.search(&scopes[0], "c", all(9, Direction::Forward, None));
    let events = page.await.unwrap().events;
    assert!(events.last().unwrap().message.starts_with('5'));
}
