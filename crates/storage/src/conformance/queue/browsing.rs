//! The promises of [`Queue::browse`].

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{LONG, NOW, charge, one, receive, send};
use crate::Queue;
use crate::queue::{BODY_BYTES_MAX, Charge, Kept, RECEIVE_BYTES_MAX};

/// All of a queue's messages, by pages of `limit`.
async fn browse(queue: &dyn Queue, name: &str, limit: usize) -> Vec<Kept> {
    let (mut all, mut after) = (Vec::<Kept>::new(), None);
    loop {
        let page = queue.browse(name, after, limit).await.unwrap();
        assert!(page.len() <= limit);
        let Some(last) = page.last() else {
            return all;
        };
        after = Some(last.message);
        all.extend(page);
        assert!(all.is_sorted_by(|one, next| one.message < next.message));
    }
}

pub async fn all_messages_are_browsed_in_every_state_and_none_is_taken(queue: &dyn Queue) {
    let name = "browsed";
    assert_eq!(browse(queue, name, 2).await, []);
    let owner = Charge {
        bounds: Vec::new(),
        ..charge("browsed", "f")
    };
    for text in ["held", "released", "replaced", "acked"] {
        let body = Bytes::from_static(text.as_bytes());
        queue.send_for(name, body, NOW, &owner).await.unwrap();
    }
    for message in receive(queue, name, LONG).await {
        let receipt = message.receipt;
        let body = Bytes::from_static(b"instead");
        match &message.body[..] {
            b"released" => assert!(queue.release(name, receipt, LONG).await.unwrap()),
            b"replaced" => assert!(queue.replace(name, receipt, body, LONG).await.unwrap()),
            b"acked" => queue.ack(name, receipt).await.unwrap(),
            _ => {}
        }
    }
    send(queue, name, "visible").await;
    let body = Bytes::from_static(b"delayed");
    queue.send(name, body, LONG).await.unwrap();
    for limit in [1, 2, 100] {
        let all = browse(queue, name, limit).await;
        let texts: BTreeSet<&[u8]> = all.iter().map(|kept| &kept.body[..]).collect();
        let expected: [&[u8]; 5] = [b"held", b"released", b"instead", b"visible", b"delayed"];
        assert_eq!((texts, all.len()), (expected.into(), 5));
        for kept in all {
            let own = matches!(&kept.body[..], b"visible" | b"delayed");
            assert_eq!(kept.owner, if own { "" } else { &owner.owner });
            let later = matches!(&kept.body[..], b"released" | b"instead" | b"delayed");
            match &kept.body[..] {
                // How long it is held is known to some stores only.
                b"held" => assert!(kept.delay <= LONG),
                _ => assert_eq!(kept.delay > LONG / 2, later, "{kept:?}"),
            }
        }
    }
    assert_eq!(one(queue, name, LONG).await.body, "visible");
}

pub async fn pages_of_browsed_messages_are_of_so_many_bytes(queue: &dyn Queue) {
    let name = "browsed-large";
    let half = Bytes::from(vec![7; RECEIVE_BYTES_MAX / 2]);
    let whole = Bytes::from(vec![8; BODY_BYTES_MAX]);
    for body in [&half, &half, &half, &whole, &half] {
        queue.send(name, body.clone(), NOW).await.unwrap();
    }
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let page = queue.browse(name, after, 100).await.unwrap();
        let Some(last) = page.last() else {
            break;
        };
        after = Some(last.message);
        let whole_bodies = page
            .iter()
            .all(|kept| [&half, &whole].contains(&&kept.body));
        assert!(whole_bodies);
        pages.push(page.len());
    }
    assert_eq!(pages, [2, 1, 1, 1]);
}
