//! Who gets what, and when.

use std::time::Duration;

use environment::Destination;
use tokio::time::{Instant, advance, timeout};

use super::*;
use crate::telemetry::queue::Dropped;

fn subscription(streams: &[Stream]) -> Subscription {
    Subscription {
        api: TelemetryApi::Telemetry,
        streams: streams.to_vec(),
        items_max: 3,
        bytes_max: 100,
        timeout: Duration::from_secs(1),
        destination: Destination::Tcp { port: 1 },
    }
}

fn line(hub: &Hub, stream: Stream, text: &str) {
    hub.line(Timestamp::default(), stream, text, false);
}

async fn waiting(subscriber: &Subscriber) -> Vec<Value> {
    subscriber.queue.flush();
    let next = timeout(Duration::from_millis(1), subscriber.queue.next());
    let items = next.await.ok().flatten().unwrap_or_default();
    let records = items
        .iter()
        .map(|item| serde_json::from_slice::<Value>(item).unwrap());
    records.map(|item| item["record"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_gets_what_it_wants_from_the_beginning_of_init() {
    let hub = Hub::new();
    line(&hub, Stream::Function, "before anything");
    hub.begin_init();
    hub.expect();
    line(&hub, Stream::Function, "early");
    let roomy = |streams: &[Stream]| Subscription {
        bytes_max: 10_000,
        ..subscription(streams)
    };
    let subscriber = hub.subscribe("x", roomy(&[Stream::Function]));
    line(&hub, Stream::Extension, "not wanted");
    hub.end_init();
    line(&hub, Stream::Function, "late");
    assert_eq!(waiting(&subscriber).await, ["early", "late"]);
    let again = hub.subscribe("x", roomy(&[Stream::Extension]));
    line(&hub, Stream::Function, "not wanted any more");
    line(&hub, Stream::Extension, "wanted");
    assert_eq!(subscriber.queue.next().await, None);
    assert_eq!(waiting(&again).await, ["wanted"]);
    hub.close();
    assert_eq!(again.queue.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn items_go_when_there_are_enough_or_the_first_has_waited() {
    let queue = Queue::new(&subscription(&[Stream::Function]));
    let item = |bytes: usize| Bytes::from(vec![b'x'; bytes]);
    queue.push(item(10));
    assert!(
        timeout(Duration::from_millis(900), queue.next())
            .await
            .is_err()
    );
    let before = Instant::now();
    assert_eq!(queue.next().await.unwrap().len(), 1);
    assert!(before.elapsed() <= Duration::from_millis(101));
    for _ in 0..4 {
        queue.push(item(10));
    }
    let soon = Duration::from_millis(1);
    assert_eq!(timeout(soon, queue.next()).await.unwrap().unwrap().len(), 3);
    advance(Duration::from_secs(1)).await;
    assert_eq!(timeout(soon, queue.next()).await.unwrap().unwrap().len(), 1);
    // One alone may be larger than a delivery.
    queue.push(item(60));
    queue.push(item(60));
    queue.push(item(200));
    for bytes in [60, 60, 200] {
        let items = timeout(Duration::from_secs(2), queue.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(items.iter().map(Bytes::len).collect::<Vec<_>>(), [bytes]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_room_for_is_counted() {
    let queue = Queue::new(&subscription(&[Stream::Function]));
    for _ in 0..30 {
        queue.push(Bytes::from_static(b"ten bytes!"));
    }
    let expected = Dropped {
        records: 6,
        bytes: 60,
    };
    assert_eq!(queue.take_dropped(), expected);
    assert_eq!(queue.take_dropped(), Dropped::default());
}

#[tokio::test(start_paused = true)]
async fn lines_of_init_are_kept_by_bytes_and_only_where_there_are_extensions() {
    let hub = Hub::new();
    let kept = |hub: &Hub| {
        let inner = hub.lock();
        let backlog = inner.backlog.as_ref().unwrap();
        (backlog.items.len(), backlog.bytes)
    };
    // Escaped, each is six times as long.
    let zeros = "\0".repeat(256 * 1024 - 26);
    let flood = || (0..1_000).for_each(|_| line(&hub, Stream::Function, &zeros));
    hub.begin_init();
    flood();
    assert_eq!(kept(&hub), (0, 0));
    hub.expect();
    flood();
    assert_eq!(kept(&hub).0, 3);
    assert!(kept(&hub).1 <= BACKLOG_BYTES_MAX);
    hub.begin_init();
    hub.expect();
    (0..20_000).for_each(|_| line(&hub, Stream::Function, ""));
    assert_eq!(kept(&hub).0, BACKLOG_ITEMS_MAX);
    hub.end_init();
    assert!(hub.lock().backlog.is_none());
}
