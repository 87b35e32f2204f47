//! The promises of [`Queue`].

#![expect(missing_docs, reason = "the functions' names are their documentation")]

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::queue::{BODY_BYTES_MAX, Bound, Charge, Message, RECEIVE_BYTES_MAX, Usage};
use crate::{Error, Queue};

mod browsing;

pub use browsing::*;

const NOW: Duration = Duration::ZERO;
/// A time that runs out within a test.
const SHORT: Duration = Duration::from_millis(300);
/// A time that does not.
const LONG: Duration = Duration::from_secs(600);
/// The time within which the expected thing must have happened.
const DEADLINE: Duration = Duration::from_secs(20);

async fn send(queue: &dyn Queue, name: &str, text: &str) {
    let body = Bytes::copy_from_slice(text.as_bytes());
    queue.send(name, body, NOW).await.unwrap();
}

async fn receive(queue: &dyn Queue, name: &str, visibility: Duration) -> Vec<Message> {
    queue.receive(name, 10, visibility, NOW).await.unwrap()
}

/// Exactly one message, which must exist.
async fn one(queue: &dyn Queue, name: &str, visibility: Duration) -> Message {
    let mut found = queue.receive(name, 10, visibility, DEADLINE).await.unwrap();
    assert_eq!(found.len(), 1, "{name}");
    found.remove(0)
}

pub async fn a_message_is_received_as_it_was_sent_and_acked_once(queue: &dyn Queue) {
    assert_eq!(receive(queue, "plain", LONG).await, []);
    send(queue, "plain", "hello\0").await;
    let message = one(queue, "plain", LONG).await;
    assert_eq!(message.body, "hello\0");
    assert_eq!(message.receipt.receives, 1);
    queue.ack("plain", message.receipt).await.unwrap();
    queue.ack("plain", message.receipt).await.unwrap();
    assert_eq!(queue.depth("plain").await.unwrap().total(), 0);
}

pub async fn a_held_message_is_seen_by_nobody_else_until_its_time_runs_out(queue: &dyn Queue) {
    send(queue, "held", "a").await;
    let first = one(queue, "held", SHORT).await;
    assert_eq!(receive(queue, "held", LONG).await, []);
    let second = one(queue, "held", LONG).await;
    assert_eq!(second.body, first.body);
    assert_eq!(second.receipt.message, first.receipt.message);
    assert_eq!(second.receipt.receives, 2);
}

pub async fn a_holder_that_needs_longer_extends(queue: &dyn Queue) {
    send(queue, "longer", "a").await;
    let message = one(queue, "longer", SHORT).await;
    assert!(queue.extend("longer", message.receipt, LONG).await.unwrap());
    sleep(SHORT * 2).await;
    assert_eq!(receive(queue, "longer", LONG).await, []);
}

pub async fn a_released_message_comes_back_after_its_delay(queue: &dyn Queue) {
    send(queue, "released", "a").await;
    let message = one(queue, "released", LONG).await;
    let released = queue.release("released", message.receipt, SHORT).await;
    assert!(released.unwrap());
    assert_eq!(receive(queue, "released", LONG).await, []);
    let again = one(queue, "released", LONG).await;
    assert_eq!(again.receipt.receives, 2);
    assert!(queue.release("released", again.receipt, NOW).await.unwrap());
    assert_eq!(one(queue, "released", LONG).await.receipt.receives, 3);
}

pub async fn a_delayed_message_is_not_seen_before(queue: &dyn Queue) {
    let began = Instant::now();
    let body = Bytes::from_static(b"later");
    queue.send("delayed", body, SHORT).await.unwrap();
    assert_eq!(queue.depth("delayed").await.unwrap().hidden, 1);
    one(queue, "delayed", LONG).await;
    // Clocks of whole milliseconds may round down.
    assert!(began.elapsed() + Duration::from_millis(2) >= SHORT);
}

pub async fn a_holder_whose_time_ran_out_may_ack_and_nothing_else(queue: &dyn Queue) {
    send(queue, "late", "a").await;
    let late = one(queue, "late", SHORT).await.receipt;
    let present = one(queue, "late", LONG).await.receipt;
    assert!(!queue.extend("late", late, NOW).await.unwrap());
    assert!(!queue.release("late", late, NOW).await.unwrap());
    let body = Bytes::from_static(b"b");
    assert!(!queue.replace("late", late, body, NOW).await.unwrap());
    assert_eq!(receive(queue, "late", LONG).await, []);
    queue.ack("late", late).await.unwrap();
    assert!(!queue.extend("late", present, LONG).await.unwrap());
    assert_eq!(queue.depth("late").await.unwrap().total(), 0);
}

pub async fn a_replaced_message_has_the_new_body_and_counts_anew(queue: &dyn Queue) {
    send(queue, "replaced", "first").await;
    let message = one(queue, "replaced", LONG).await;
    let body = Bytes::from_static(b"second");
    let replaced = queue.replace("replaced", message.receipt, body, SHORT);
    assert!(replaced.await.unwrap());
    assert_eq!(queue.depth("replaced").await.unwrap().total(), 1);
    let next = one(queue, "replaced", LONG).await;
    assert_eq!(
        (next.body.as_ref(), next.receipt.receives),
        (&b"second"[..], 1)
    );
}

pub async fn the_longest_visible_is_received_first(queue: &dyn Queue) {
    for text in ["a", "b", "c"] {
        send(queue, "order", text).await;
    }
    let first = queue.receive("order", 2, LONG, NOW).await.unwrap();
    let texts: Vec<_> = first.iter().map(|message| &message.body[..]).collect();
    assert_eq!(texts, [b"a", b"b"]);
    let released = queue.release("order", first[0].receipt, NOW).await;
    assert!(released.unwrap());
    let rest = receive(queue, "order", LONG).await;
    let texts: BTreeSet<_> = rest.iter().map(|message| &message.body[..]).collect();
    assert_eq!(texts, BTreeSet::from([&b"a"[..], &b"c"[..]]));
}

pub async fn a_receiver_that_waits_is_woken_by_a_send(queue: &dyn Queue) {
    let waiting = queue.receive("woken", 1, LONG, DEADLINE);
    let sending = async {
        sleep(Duration::from_millis(50)).await;
        send(queue, "woken", "a").await;
    };
    let (received, ()) = tokio::join!(waiting, sending);
    assert_eq!(received.unwrap().len(), 1);
}

pub async fn a_late_ack_removes_no_other_message(queue: &dyn Queue) {
    send(queue, "again", "a").await;
    let late = one(queue, "again", LONG).await.receipt;
    queue.ack("again", late).await.unwrap();
    // The queue starts again, and its numbers do not.
    assert!(queue.delete_if_empty("again").await.unwrap());
    send(queue, "again", "b").await;
    queue.ack("again", late).await.unwrap();
    assert_eq!(one(queue, "again", LONG).await.body, "b");
    queue.ack("again", late).await.unwrap();
    assert_eq!(queue.depth("again").await.unwrap().total(), 1);
}

pub async fn what_comes_when_a_receiver_has_left_is_received_by_the_next(queue: &dyn Queue) {
    let waiting = queue.receive("left", 1, LONG, DEADLINE);
    let left = tokio::time::timeout(SHORT, waiting).await;
    assert!(left.is_err(), "there is nothing to receive");
    send(queue, "left", "a").await;
    assert_eq!(one(queue, "left", LONG).await.receipt.receives, 1);
}

pub async fn a_message_that_is_put_back_wakes_who_waits(queue: &dyn Queue) {
    send(queue, "back", "a").await;
    let held = one(queue, "back", LONG).await;
    let waiting = queue.receive("back", 1, LONG, DEADLINE);
    let putting = async {
        sleep(Duration::from_millis(50)).await;
        let body = Bytes::from_static(b"b");
        let replaced = queue.replace("back", held.receipt, body, NOW).await;
        assert!(replaced.unwrap());
        sleep(Duration::from_millis(50)).await;
        let replacement = receive(queue, "back", LONG).await;
        assert_eq!(replacement, [], "it is held");
    };
    let (received, ()) = tokio::join!(waiting, putting);
    let received = received.unwrap();
    assert_eq!(received.len(), 1);
    let waiting = queue.receive("back", 1, LONG, DEADLINE);
    let releasing = queue.release("back", received[0].receipt, NOW);
    let (again, released) = tokio::join!(waiting, releasing);
    assert!(released.unwrap());
    assert_eq!(again.unwrap().len(), 1);
}

pub async fn a_receiver_that_waits_is_woken_by_time(queue: &dyn Queue) {
    let body = Bytes::from_static(b"a");
    queue.send("timed", body, SHORT).await.unwrap();
    let began = Instant::now();
    one(queue, "timed", LONG).await;
    assert!(began.elapsed() < DEADLINE / 2, "not by its own end");
    assert_eq!(queue.receive("timed", 1, LONG, SHORT).await.unwrap(), []);
}

pub async fn many_receivers_never_hold_the_same_message(queue: &dyn Queue) {
    const MESSAGES: usize = 200;
    let sends = (0..MESSAGES).map(|number| async move {
        send(queue, "many", &number.to_string()).await;
    });
    join_all(sends).await;
    let receivers = (0..8).map(|_| async {
        let mut held = Vec::new();
        loop {
            let found = queue.receive("many", 7, LONG, NOW).await.unwrap();
            if found.is_empty() {
                return held;
            }
            held.extend(found);
        }
    });
    let all: Vec<Message> = join_all(receivers).await.into_iter().flatten().collect();
    let bodies: BTreeSet<_> = all.iter().map(|message| message.body.clone()).collect();
    assert_eq!((all.len(), bodies.len()), (MESSAGES, MESSAGES));
}

pub async fn queues_do_not_know_of_each_other(queue: &dyn Queue) {
    send(queue, "apart/1", "a").await;
    send(queue, "apart/2", "b").await;
    assert_eq!(
        queue.queues("apart/").await.unwrap(),
        ["apart/1", "apart/2"]
    );
    assert_eq!(one(queue, "apart/2", LONG).await.body, "b");
    assert_eq!(queue.depth("apart/1").await.unwrap().visible, 1);
    assert_eq!(queue.peek("apart/1", 9, 9).await.unwrap(), ["a"]);
    for name in ["", "a b", "ü", &"x".repeat(201)] {
        let sent = queue.send(name, Bytes::new(), NOW).await;
        assert!(matches!(sent, Err(crate::Error::Invalid { .. })), "{name}");
    }
}

pub async fn an_empty_queue_can_be_deleted_and_another_not(queue: &dyn Queue) {
    assert!(queue.delete_if_empty("never").await.unwrap());
    send(queue, "deleted", "a").await;
    assert!(!queue.delete_if_empty("deleted").await.unwrap());
    let message = one(queue, "deleted", LONG).await;
    assert!(!queue.delete_if_empty("deleted").await.unwrap());
    queue.ack("deleted", message.receipt).await.unwrap();
    assert!(queue.delete_if_empty("deleted").await.unwrap());
    assert!(queue.queues("deleted").await.unwrap().is_empty());
    send(queue, "deleted", "b").await;
    assert_eq!(one(queue, "deleted", LONG).await.body, "b");
}

pub async fn depth_tells_visible_and_hidden(queue: &dyn Queue) {
    assert_eq!(queue.depth("depth").await.unwrap().total(), 0);
    for text in ["a", "b", "c"] {
        send(queue, "depth", text).await;
    }
    queue.receive("depth", 1, LONG, NOW).await.unwrap();
    sleep(Duration::from_millis(20)).await;
    let depth = queue.depth("depth").await.unwrap();
    assert_eq!((depth.visible, depth.hidden, depth.total()), (2, 1, 3));
    assert!(depth.oldest >= Duration::from_millis(10) && depth.oldest < DEADLINE);
}

pub async fn a_receive_is_of_so_many_bytes_and_a_look_of_so_few(queue: &dyn Queue) {
    for number in 0..4 {
        let body = Bytes::from(vec![number; RECEIVE_BYTES_MAX / 2]);
        queue.send("heavy", body, NOW).await.unwrap();
    }
    assert_eq!(receive(queue, "heavy", LONG).await.len(), 2);
    send(queue, "heavy", "light").await;
    let largest = Bytes::from(vec![9; BODY_BYTES_MAX]);
    queue.send("heavy", largest, NOW).await.unwrap();
    assert_eq!(receive(queue, "heavy", LONG).await.len(), 2);
    assert_eq!(receive(queue, "heavy", LONG).await[0].body, "light");
    let seen = queue.peek("heavy", 2, 3).await.unwrap();
    assert_eq!(seen, [&[0; 3][..], &[1; 3][..]]);
}

pub async fn the_largest_message_fits_and_a_larger_one_is_refused(queue: &dyn Queue) {
    let largest = Bytes::from(vec![7; BODY_BYTES_MAX]);
    queue.send("large", largest.clone(), NOW).await.unwrap();
    let message = one(queue, "large", LONG).await;
    assert_eq!(message.body, largest);
    let larger = Bytes::from(vec![7; BODY_BYTES_MAX + 1]);
    let sent = queue.send("large", larger.clone(), NOW).await;
    assert!(matches!(sent, Err(crate::Error::Invalid { .. })));
    let replaced = queue.replace("large", message.receipt, larger, NOW).await;
    assert!(matches!(replaced, Err(crate::Error::Invalid { .. })));
}

/// An owner of three words, with room for two messages and for five bytes.
fn charge(account: &str, function: &str) -> Charge {
    let bound = |of: String| Bound {
        of,
        most: Usage {
            messages: 2,
            bytes: 5,
        },
    };
    Charge {
        owner: format!("{account}/r/{function}"),
        bounds: vec![bound(account.to_owned())],
    }
}

async fn usage_of(queue: &dyn Queue, owner: &str) -> Usage {
    let all = queue.usage().await.unwrap();
    let found = all.into_iter().find(|(of, _)| of == owner);
    found.map(|(_, usage)| usage).unwrap_or_default()
}

pub async fn what_is_kept_for_an_owner_is_counted_and_bounded(queue: &dyn Queue) {
    let f = charge("counted", "f");
    let g = charge("counted", "g");
    let send = |charge: &Charge, text: &'static str| {
        let (body, charge) = (Bytes::from_static(text.as_bytes()), charge.clone());
        async move { queue.send_for("counting", body, NOW, &charge).await }
    };
    let is_full = |sent| matches!(sent, Err(Error::Full { .. }));
    send(&f, "abcd").await.unwrap();
    assert!(is_full(send(&g, "ef").await), "too many bytes of both");
    send(&g, "e").await.unwrap();
    assert!(is_full(send(&f, "").await), "too many messages of both");
    let other = charge("counted-not", "f");
    send(&other, "abcde").await.unwrap();
    let (messages, bytes) = (1, 4);
    assert_eq!(usage_of(queue, &f.owner).await, Usage { messages, bytes });
    // The system's own messages are neither counted nor refused.
    queue.send("counting", Bytes::new(), NOW).await.unwrap();

    // A message's replacement has the same owner; nothing that exists already is refused.
    let mut held = receive(queue, "counting", LONG).await;
    held.retain(|message| message.body == "abcd");
    let body = Bytes::from_static(b"abcdefgh");
    let replaced = queue.replace("counting", held[0].receipt, body, NOW);
    assert!(replaced.await.unwrap());
    assert_eq!(usage_of(queue, &f.owner).await.bytes, 8);
    let again = one(queue, "counting", LONG).await;
    queue.ack("counting", again.receipt).await.unwrap();
    queue.ack("counting", again.receipt).await.unwrap();
    assert_eq!(usage_of(queue, &f.owner).await, Usage::default());
    send(&f, "abcd").await.unwrap();
}

pub async fn what_waits_is_shown_at_once_but_for_what_is_held(queue: &dyn Queue) {
    let [late, other] = ["late", "other"].map(|function| Charge {
        bounds: Vec::new(),
        ..charge("shown", function)
    });
    for (charge, text) in [(&late, "a"), (&other, "b")] {
        let body = Bytes::from_static(text.as_bytes());
        queue.send_for("showing", body, LONG, charge).await.unwrap();
    }
    let body = Bytes::from_static(b"c");
    queue.send_for("showing", body, NOW, &late).await.unwrap();
    one(queue, "showing", SHORT).await;
    assert_eq!(queue.show(&late.owner, LONG / 2).await.unwrap(), 1);
    assert_eq!(one(queue, "showing", LONG).await.body, "a");
    assert_eq!(queue.show(&late.owner, LONG).await.unwrap(), 0);
}
