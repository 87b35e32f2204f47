//! The promises of [`Blobs`].

#![expect(missing_docs, reason = "the functions' names are their documentation")]

use bytes::Bytes;
use futures_util::future::join;

use crate::blobs::NAME_BYTES_MAX;
use crate::{Blobs, Error};

pub async fn a_blob_is_read_as_it_was_put(blobs: &dyn Blobs) {
    assert_eq!(blobs.get("put/a").await.unwrap(), None);
    assert_eq!(blobs.size("put/a").await.unwrap(), None);
    let large = Bytes::from((0..3_000_000u32).map(|byte| byte as u8).collect::<Vec<_>>());
    let longest = format!("put/{}", "n".repeat(NAME_BYTES_MAX - 4));
    for (name, bytes) in [
        ("put/a", Bytes::new()),
        ("put/B_.-9", large),
        (&longest, "x".into()),
    ] {
        blobs.put(name, bytes.clone()).await.unwrap();
        assert_eq!(blobs.size(name).await.unwrap(), Some(bytes.len() as u64));
        assert_eq!(blobs.get(name).await.unwrap(), Some(bytes));
    }
}

pub async fn putting_again_replaces_it_as_a_whole(blobs: &dyn Blobs) {
    blobs.put("again/a", "long and first".into()).await.unwrap();
    blobs.put("again/a", "short".into()).await.unwrap();
    assert_eq!(blobs.get("again/a").await.unwrap(), Some("short".into()));
    assert_eq!(blobs.size("again/a").await.unwrap(), Some(5));
}

pub async fn what_was_deleted_is_gone_and_deleting_again_is_harmless(blobs: &dyn Blobs) {
    blobs.put("delete/a", "x".into()).await.unwrap();
    for _ in 0..2 {
        blobs.delete("delete/a").await.unwrap();
        assert_eq!(blobs.get("delete/a").await.unwrap(), None);
    }
    blobs.put("delete/a", "y".into()).await.unwrap();
    assert_eq!(blobs.get("delete/a").await.unwrap(), Some("y".into()));
}

pub async fn a_name_may_be_the_beginning_of_another(blobs: &dyn Blobs) {
    for name in ["begin", "begin/a", "begin/a/b", "begin-a"] {
        blobs.put(name, Bytes::from(name.to_owned())).await.unwrap();
    }
    for name in ["begin", "begin/a", "begin/a/b", "begin-a"] {
        assert_eq!(
            blobs.get(name).await.unwrap(),
            Some(Bytes::from(name.to_owned()))
        );
    }
}

pub async fn blobs_are_listed_by_prefix_in_order_and_in_pages(blobs: &dyn Blobs) {
    let names = ["list/a", "list/a/b", "list/b", "list/c.d"];
    for name in names.iter().rev().chain(&["lisu/a"]) {
        blobs.put(name, Bytes::new()).await.unwrap();
    }
    let list = async |after, limit| blobs.list("list/", after, limit).await.unwrap();
    assert_eq!(list(None, 99).await, names);
    assert_eq!(list(None, 3).await, names[..3]);
    assert_eq!(list(Some("list/b"), 99).await, names[3..]);
    assert_eq!(list(Some("list/aa"), 1).await, names[2..3]);
    assert_eq!(list(Some("list/c.d"), 99).await, [""; 0]);
    assert_eq!(blobs.list("list/a/", None, 99).await.unwrap(), ["list/a/b"]);
    blobs.delete("list/b").await.unwrap();
    assert_eq!(list(Some("list/a"), 99).await, ["list/a/b", "list/c.d"]);
}

pub async fn names_that_break_the_rule_are_refused(blobs: &dyn Blobs) {
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    let names = [
        "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a b", "a%b", "ä", "a\0b",
    ];
    for name in names.into_iter().chain([&*long]) {
        let refused = |result: Result<(), Error>| {
            assert!(
                matches!(result, Err(Error::Invalid { what: "name", .. })),
                "{name:?}"
            );
        };
        refused(blobs.put(name, Bytes::new()).await);
        refused(blobs.get(name).await.map(drop));
        refused(blobs.size(name).await.map(drop));
        refused(blobs.delete(name).await);
    }
}

pub async fn a_reader_never_sees_a_mixture(blobs: &dyn Blobs) {
    let of = |byte: u8| Bytes::from(vec![byte; 100_000]);
    blobs.put("mixture", of(0)).await.unwrap();
    let write = async {
        for byte in 1..30 {
            blobs.put("mixture", of(byte)).await.unwrap();
        }
    };
    let read = async {
        for _ in 0..60 {
            let bytes = blobs.get("mixture").await.unwrap().unwrap();
            assert_eq!(bytes, of(bytes[0]));
        }
    };
    join(write, read).await;
}
