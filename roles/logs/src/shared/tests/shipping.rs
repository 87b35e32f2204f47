//! A worker's side: what is stored when, what a killed worker loses, and what happens while nothing can be stored.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_line_is_seen_at_once_and_stored_within_a_second() {
    let world = World::new();
    let store = world.store();
    let worker = world.worker();
    world.print(&worker, "s", "one");
    assert_eq!(read(&store, Streams::all()).await, ["one"]);
    assert_eq!(world.names().await, Vec::<String>::new());
    let made = store.group_made(&scope(), GROUP).await.unwrap();
    assert_eq!(made, Some(world.now()));
    world.pass(Duration::from_millis(1_001)).await;
    assert_eq!(world.names().await.len(), 1);
    world.forget_workers();
    assert_eq!(read(&store, Streams::all()).await, ["one"]);
    assert_eq!(worker.shipper.written_events(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_prints_nothing_costs_nothing_and_who_prints_much_a_blob_a_second() {
    let world = World::new();
    let worker = world.worker();
    world.print(&worker, "s", "x");
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(world.blobs.puts.load(Ordering::Relaxed), 1);
    for _ in 0..100 {
        for stream in ["a", "b"] {
            world.print(&worker, stream, "x");
        }
        world.pass(Duration::from_millis(100)).await;
    }
    let puts = world.blobs.puts.load(Ordering::Relaxed);
    assert!((9..=12).contains(&puts), "{puts}");
    // More than a megabyte is not kept waiting.
    world.print(&worker, "s", &"x".repeat(1 << 20));
    world.pass(Duration::from_millis(1)).await;
    assert_eq!(worker.shipper.written_events(), 202);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_killed_loses_what_it_printed_in_its_last_two_seconds() {
    let world = World::new();
    let store = world.store();
    let worker = world.worker();
    let begin = world.now();
    let mut printed = Vec::new();
    for number in 0..100 {
        printed.push((world.now(), number.to_string()));
        world.print(&worker, "s", &number.to_string());
        world.pass(Duration::from_millis(73)).await;
    }
    let killed = world.now();
    worker.kill().await;
    world.forget_workers();
    world.pass(Duration::from_secs(60)).await;
    let stored = read(&store, Streams::all()).await;
    // Nothing is missing between what is stored, and at the end no more than two seconds.
    let texts: Vec<&String> = printed.iter().map(|(_, text)| text).collect();
    assert!(texts.iter().copied().take(stored.len()).eq(&stored));
    let lost = printed.iter().skip(stored.len());
    let earliest = lost.map(|(time, _)| *time).min().unwrap();
    assert!(killed.since(earliest) <= Duration::from_secs(2));
    assert!(earliest > begin);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_stopped_stores_everything() {
    let world = World::new();
    let store = world.store();
    let worker = world.worker();
    let mut expected = Vec::new();
    for number in 0..50 {
        expected.push(format!("{number:02}"));
        world.print(&worker, "s", &format!("{number:02}"));
    }
    worker.stop().await;
    world.forget_workers();
    assert_eq!(read(&store, Streams::all()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn while_nothing_can_be_stored_what_fits_waits_in_order_and_the_rest_is_counted() {
    let world = World::new();
    let store = world.store();
    let worker = world.worker();
    world.blobs.failing.store(true, Ordering::Relaxed);
    let large = "x".repeat(200_000);
    for _ in 0..400 {
        world.print(&worker, "large", &large);
    }
    let dropped = worker.shipper.dropped_events();
    assert!((200..300).contains(&dropped), "{dropped}");
    // Another account has its own half.
    let other = StreamName {
        scope: Scope {
            account: types::AccountId::new("111111111111").unwrap(),
            ..scope()
        },
        ..named("s")
    };
    let event = LogEvent {
        time: world.now(),
        message: "mine".to_owned(),
    };
    worker.shipper.append(&other, vec![event]);
    assert_eq!(worker.shipper.dropped_events(), dropped);
    world.pass(Duration::from_secs(3_600)).await;
    world.blobs.failing.store(false, Ordering::Relaxed);
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(worker.shipper.written_events(), 401 - dropped);
    world.forget_workers();
    let page = store.search(&other.scope, GROUP, all(9, Direction::Forward, None));
    assert_eq!(page.await.unwrap().events[0].message, "mine");
    // There is room again.
    world.print(&worker, "s", "after");
    assert_eq!(worker.shipper.dropped_events(), dropped);
    // What cannot be stored does not keep a process from ending.
    world.blobs.failing.store(true, Ordering::Relaxed);
    let shipper = Arc::clone(&worker.shipper);
    worker.stop().await;
    assert_eq!(shipper.dropped_events(), dropped + 1);
}

/// A worker that does not answer.
struct Silent;

#[async_trait]
impl RecentLogs for Silent {
    async fn recent(
        &self,
        _: &Scope,
        _: &str,
        _: Timestamp,
    ) -> Result<api::logs::Recents, api::logs::Error> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_does_not_answer_is_left_out() {
    let world = World::new();
    let store = world.store();
    let worker = world.worker();
    world.workers.lock().unwrap().push(Arc::new(Silent));
    world.print(&worker, "s", "one");
    assert_eq!(read(&store, Streams::all()).await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_worker_cannot_say_at_once_is_not_overtaken() {
    let world = World::new();
    let store = world.store();
    let (one, two) = (world.worker(), world.worker());
    world.blobs.failing.store(true, Ordering::Relaxed);
    let mut expected = Vec::new();
    for number in 0..10_u8 {
        // Five megabytes: more than one answer.
        let text = format!("{number}{}", "x".repeat(500_000));
        world.print(&one, "s", &text);
        world.pass(Duration::from_millis(1)).await;
        expected.push(text);
    }
    world.print(&two, "t", "last");
    expected.push("last".to_owned());
    // While it is not stored, what is known is shown, and it is told that there is more.
    let mut found = Vec::new();
    let mut from = None;
    for _ in 0..20 {
        let page = page(&store, GROUP, 9, from).await;
        found.extend(page.events.into_iter().map(|found| found.message));
        from = page.rest;
        assert!(from.is_some() || found == expected);
        if from.is_none() {
            break;
        }
    }
    assert!(expected.starts_with(&found) && !found.is_empty());
    world.blobs.failing.store(false, Ordering::Relaxed);
    world.pass(Duration::from_secs(20)).await;
    while from.is_some() {
        let page = page(&store, GROUP, 9, from).await;
        found.extend(page.events.into_iter().map(|found| found.message));
        from = page.rest;
    }
    assert!(found == expected);
}
