//! Streams and groups that come and go.

use super::*;

#[tokio::test(start_paused = true)]
async fn streams_and_groups_come_and_go_as_they_are_told() {
    let world = World::new();
    let store = world.store();
    let long = "x/".repeat(250);
    let name = named(&long);
    let now = world.now();
    assert!(store.create_stream(name.clone(), now).await.unwrap());
    assert!(!store.create_stream(name.clone(), now).await.unwrap());
    let described = store
        .describe(&scope(), GROUP, Streams::all())
        .await
        .unwrap();
    assert_eq!((described[0].created, described[0].times), (NOW, None));
    let lines = vec![
        Line {
            ingested: Some(now),
            ..line(Timestamp::from_millis(NOW - 9), "five")
        },
        line(now, "nine"),
    ];
    store.put(name.clone(), lines).await.unwrap();
    let described = store
        .describe(&scope(), GROUP, Streams::one(&long))
        .await
        .unwrap();
    assert_eq!(
        (
            described[0].created,
            described[0].times,
            described[0].ingested
        ),
        (NOW, Some((NOW - 9, NOW)), Some(NOW))
    );
    let bytes = store.group_bytes(&scope(), GROUP).await.unwrap();
    assert!(bytes > 100, "{bytes}");
    let made = store.group_made(&scope(), GROUP).await.unwrap();
    assert_eq!(made, Some(Timestamp::from_millis(NOW - 9)));
    // In the same millisecond.
    assert!(store.delete_stream(name.clone(), now).await.unwrap());
    assert!(!store.delete_stream(name.clone(), now).await.unwrap());
    assert!(
        store
            .describe(&scope(), GROUP, Streams::all())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(read(&store, Streams::all()).await, Vec::<String>::new());
    // What comes later does not look like what existed before.
    store
        .put(name.clone(), vec![line(now, "again")])
        .await
        .unwrap();
    assert_eq!(read(&store, Streams::one(&long)).await, ["again"]);
    store
        .delete_group(scope(), GROUP.to_owned(), now)
        .await
        .unwrap();
    assert_eq!(store.group_made(&scope(), GROUP).await.unwrap(), None);
    assert_eq!(store.group_bytes(&scope(), GROUP).await.unwrap(), 0);
    assert_eq!(read(&store, Streams::all()).await, Vec::<String>::new());
    store
        .delete_group(scope(), GROUP.to_owned(), now)
        .await
        .unwrap();
    assert!(store.create_stream(name.clone(), now).await.unwrap());
    let made = store.group_made(&scope(), GROUP).await.unwrap();
    assert!(made.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_a_worker_held_when_it_was_deleted_does_not_come_back() {
    let world = World::new();
    let store = world.store();
    let worker = world.worker();
    world.print(&worker, "s", "before");
    world.print(&worker, "t", "stays");
    let now = world.now();
    assert!(store.delete_stream(named("s"), now).await.unwrap());
    assert_eq!(read(&store, Streams::all()).await, ["stays"]);
    world.pass(Duration::from_secs(5)).await;
    world.print(&worker, "s", "after");
    assert_eq!(read(&store, Streams::all()).await, ["stays", "after"]);
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(read(&store, Streams::all()).await, ["stays", "after"]);
    // Not even when it is forgotten that it was deleted.
    for _ in 0..6 {
        world.pass(Duration::from_secs(13 * 3_600)).await;
        store.tend(&|_, _| Timestamp::default()).await;
        assert_eq!(read(&store, Streams::all()).await, ["stays", "after"]);
    }
    let names = world.names().await;
    assert!(!names.iter().any(|name| name.contains("/m-")), "{names:?}");
    let mut text = String::new();
    for name in names {
        let bytes = world.blobs.get(&name).await.unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert!(text.contains("stays") && !text.contains("before"));
}

#[tokio::test(start_paused = true)]
async fn of_a_deleted_group_nothing_remains() {
    let world = World::new();
    let store = world.store();
    let worker = world.worker();
    for number in 0..20 {
        world.print(&worker, "s", &number.to_string());
        world.pass(Duration::from_secs(2)).await;
        store.tend(&|_, _| Timestamp::default()).await;
    }
    assert!(store.create_stream(named("t"), world.now()).await.unwrap());
    let deleted = store.delete_group(scope(), GROUP.to_owned(), world.now());
    deleted.await.unwrap();
    for _ in 0..3 {
        world.pass(Duration::from_secs(25 * 3_600)).await;
        store.tend(&|_, _| Timestamp::default()).await;
    }
    assert_eq!(world.names().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_goes_while_the_group_is_busy() {
    let world = World::new();
    let store = world.store();
    let put = async |stream: &str, text: &str| {
        let lines = vec![line(world.now(), text)];
        store.put(named(stream), lines).await.unwrap();
    };
    put("s", "before").await;
    put("t", "stays").await;
    let deleted = store.delete_stream(named("s"), world.now()).await;
    assert!(deleted.unwrap());
    world.pass(Duration::from_secs(25 * 3_600)).await;
    // There is always something to merge.
    for _ in 0..20 {
        for _ in 0..9 {
            put("t", "new").await;
        }
        store.tend(&|_, _| Timestamp::default()).await;
        world.pass(Duration::from_secs(60)).await;
    }
    let names = world.names().await;
    assert!(!names.iter().any(|name| name.contains("/m-")), "{names:?}");
    assert_eq!(read(&store, Streams::all()).await.len(), 181);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_not_forgotten_because_a_list_took_long() {
    let world = World::new();
    let store = world.store();
    let worker = world.worker();
    world.print(&worker, "s", "before");
    let deleted = store.delete_stream(named("s"), world.now()).await;
    assert!(deleted.unwrap());
    let clock = world.clock.clone();
    let a_day_passes = move || clock.advance(Duration::from_secs(25 * 3_600));
    *world.blobs.listed.lock().unwrap() = Some(Box::new(a_day_passes));
    store.tend(&|_, _| Timestamp::default()).await;
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(world.segments().await.len(), 1);
    assert_eq!(read(&store, Streams::all()).await, Vec::<String>::new());
}
