//! The promises of [`Table`].

#![expect(missing_docs, reason = "the functions' names are their documentation")]

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

use crate::table::{KEY_BYTES_MAX, VALUE_BYTES_MAX, WATCH_BACKLOG};
use crate::{Change, Consistency, Error, Expect, Revision, Row, Table, Watch};

/// How long a change may take to reach a watcher before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn assert_conflict<T: std::fmt::Debug>(result: Result<T, Error>, key: &str) {
    assert!(
        matches!(&result, Err(Error::Conflict { key: of }) if of == key),
        "{result:?}"
    );
}

async fn get(table: &dyn Table, key: &str) -> Option<Row> {
    let stale = table.get(key, Consistency::MaybeStale).await;
    assert!(stale.is_ok());
    table.get(key, Consistency::Strong).await.unwrap()
}

async fn keys(table: &dyn Table, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let rows = table.list(prefix, after, limit).await.unwrap();
    rows.into_iter().map(|row| row.key).collect()
}

async fn next(watch: &mut Watch) -> Option<Change> {
    tokio::time::timeout(PATIENCE, watch.recv())
        .await
        .expect("a change arrives in time")
}

pub async fn a_row_is_read_as_it_was_written(table: &dyn Table) {
    assert_eq!(get(table, "written/ä").await, None);
    for text in ["", "one", "\0two\0"] {
        let revision = table
            .put("written/ä", value(text), Expect::Any)
            .await
            .unwrap();
        let row = Row {
            key: "written/ä".to_owned(),
            value: value(text),
            revision,
        };
        assert_eq!(get(table, "written/ä").await, Some(row));
    }
    assert_eq!(get(table, "written/").await, None);
}

pub async fn a_write_expecting_absence_fails_where_a_row_is(table: &dyn Table) {
    table
        .put("absence/a", value("1"), Expect::Absent)
        .await
        .unwrap();
    assert_conflict(
        table.put("absence/a", value("2"), Expect::Absent).await,
        "absence/a",
    );
    assert_eq!(get(table, "absence/a").await.unwrap().value, value("1"));
    table.delete("absence/a", Expect::Any).await.unwrap();
    table
        .put("absence/a", value("3"), Expect::Absent)
        .await
        .unwrap();
}

pub async fn a_write_expecting_a_revision_fails_after_another(table: &dyn Table) {
    let first = table.put("cas/a", value("1"), Expect::Any).await.unwrap();
    let second = table
        .put("cas/a", value("2"), Expect::Revision(first))
        .await
        .unwrap();
    assert_conflict(
        table
            .put("cas/a", value("3"), Expect::Revision(first))
            .await,
        "cas/a",
    );
    assert_eq!(get(table, "cas/a").await.unwrap().value, value("2"));
    assert_conflict(
        table
            .put("cas/b", value("3"), Expect::Revision(second))
            .await,
        "cas/b",
    );
    assert_eq!(get(table, "cas/b").await, None);
}

pub async fn of_many_writers_expecting_the_same_one_wins(table: &dyn Table) {
    let mut revision = table
        .put("race/a", value("start"), Expect::Any)
        .await
        .unwrap();
    for _ in 0..10 {
        let writers = (0..16).map(|writer| {
            let value = value(&format!("{writer}"));
            async move { table.put("race/a", value, Expect::Revision(revision)).await }
        });
        let answers = join_all(writers).await;
        let winners: Vec<usize> = (0..answers.len())
            .filter(|writer| answers[*writer].is_ok())
            .collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        let row = get(table, "race/a").await.unwrap();
        assert_eq!(row.value, value(&format!("{}", winners[0])));
        revision = row.revision;
    }
}

pub async fn revisions_go_up_and_never_come_again(table: &dyn Table) {
    let mut last = Revision(0);
    for turn in 0..20 {
        let key = format!("revisions/{}", turn % 3);
        let revision = table.put(&key, value("x"), Expect::Any).await.unwrap();
        assert!(revision > last, "{revision:?} after {last:?}");
        assert_eq!(get(table, &key).await.unwrap().revision, revision);
        last = revision;
        if turn % 4 == 0 {
            table
                .delete(&key, Expect::Revision(revision))
                .await
                .unwrap();
        }
    }
}

pub async fn deleting_is_conditional_and_harmless_without_a_condition(table: &dyn Table) {
    table.delete("delete/a", Expect::Any).await.unwrap();
    table.delete("delete/a", Expect::Absent).await.unwrap();
    assert_conflict(
        table
            .delete("delete/a", Expect::Revision(Revision(1)))
            .await,
        "delete/a",
    );
    let first = table
        .put("delete/a", value("1"), Expect::Any)
        .await
        .unwrap();
    let second = table
        .put("delete/a", value("2"), Expect::Any)
        .await
        .unwrap();
    assert_conflict(
        table.delete("delete/a", Expect::Revision(first)).await,
        "delete/a",
    );
    assert_conflict(table.delete("delete/a", Expect::Absent).await, "delete/a");
    assert!(get(table, "delete/a").await.is_some());
    table
        .delete("delete/a", Expect::Revision(second))
        .await
        .unwrap();
    assert_eq!(get(table, "delete/a").await, None);
}

pub async fn rows_are_listed_by_prefix_in_order_and_in_pages(table: &dyn Table) {
    for key in [
        "list/b",
        "list/a",
        "list/a/1",
        "list/a-",
        "list/ä",
        "lisu",
        "lis",
        "list/\u{10ffff}",
    ] {
        table.put(key, value(key), Expect::Any).await.unwrap();
    }
    let all = [
        "list/a",
        "list/a-",
        "list/a/1",
        "list/b",
        "list/ä",
        "list/\u{10ffff}",
    ];
    assert_eq!(keys(table, "list/", None, 100).await, all);
    assert_eq!(keys(table, "list/", None, 2).await, all[..2]);
    assert_eq!(keys(table, "list/", Some("list/a-"), 2).await, all[2..4]);
    assert_eq!(
        keys(table, "list/", Some("list/a0"), 100).await,
        all[3..],
        "a key that does not exist"
    );
    assert_eq!(
        keys(table, "list/", Some("a"), 1).await,
        all[..1],
        "a key before the prefix"
    );
    assert_eq!(
        keys(table, "list/", Some("z"), 1).await,
        [""; 0],
        "a key after the prefix"
    );
    assert_eq!(keys(table, "list/a/", None, 100).await, ["list/a/1"]);
    assert_eq!(keys(table, "list/", None, 0).await, [""; 0]);
    assert_eq!(keys(table, "list/c", None, 100).await, [""; 0]);
}

pub async fn the_largest_row_fits_and_a_larger_one_is_refused(table: &dyn Table) {
    let key = format!("largest/{}", "k".repeat(KEY_BYTES_MAX - "largest/".len()));
    let value = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    table.put(&key, value.clone(), Expect::Any).await.unwrap();
    assert_eq!(get(table, &key).await.unwrap().value, value);
    let longer = table
        .put(&format!("{key}k"), Bytes::new(), Expect::Any)
        .await;
    assert!(
        matches!(longer, Err(Error::Invalid { what: "key", .. })),
        "{longer:?}"
    );
    let empty = table.put("", Bytes::new(), Expect::Any).await;
    assert!(
        matches!(empty, Err(Error::Invalid { what: "key", .. })),
        "{empty:?}"
    );
    let larger = table
        .put(&key, Bytes::from(vec![7; VALUE_BYTES_MAX + 1]), Expect::Any)
        .await;
    assert!(
        matches!(larger, Err(Error::Invalid { what: "value", .. })),
        "{larger:?}"
    );
}

pub async fn a_watch_tells_what_is_there_then_what_changes(table: &dyn Table) {
    let put = async |key: &str, text: &str| {
        let revision = table.put(key, value(text), Expect::Any).await.unwrap();
        Some(Change::Put(Row {
            key: key.to_owned(),
            value: value(text),
            revision,
        }))
    };
    let first = put("watch/b", "1").await;
    let second = put("watch/a", "2").await;
    put("watched", "3").await;
    let mut watch = table.watch("watch/").await.unwrap();
    let mut others = table.watch("watch/").await.unwrap();
    let there = [next(&mut watch).await, next(&mut watch).await];
    assert!(
        there == [first.clone(), second.clone()] || there == [second, first],
        "{there:?}"
    );
    assert_eq!(next(&mut watch).await, Some(Change::Current));

    let third = put("watch/c", "4").await;
    put("watched", "5").await;
    table.delete("watch/b", Expect::Any).await.unwrap();
    table.delete("watch/none", Expect::Any).await.unwrap();
    let conflict = table.put("watch/c", value("6"), Expect::Absent).await;
    assert_conflict(conflict, "watch/c");
    let last = put("watch/a", "7").await;
    assert_eq!(next(&mut watch).await, third);
    assert_eq!(
        next(&mut watch).await,
        Some(Change::Delete {
            key: "watch/b".to_owned()
        })
    );
    assert_eq!(next(&mut watch).await, last);

    for _ in 0..6 {
        assert!(
            next(&mut others).await.is_some(),
            "each watcher receives it"
        );
    }
}

pub async fn a_watch_tells_the_changes_of_a_key_in_order(table: &dyn Table) {
    let mut watch = table.watch("order/").await.unwrap();
    assert_eq!(next(&mut watch).await, Some(Change::Current));
    join_all((0..100).map(|number| async move {
        let key = format!("order/{}", number % 3);
        table.put(&key, value("x"), Expect::Any).await.unwrap();
    }))
    .await;
    let mut last = [Revision(0); 3];
    let ends = table.list("order/", None, 3).await.unwrap();
    while ends
        .iter()
        .zip(&last)
        .any(|(row, last)| row.revision != *last)
    {
        let change = next(&mut watch).await;
        let Some(Change::Put(row)) = change else {
            unreachable!("only puts were made: {change:?}")
        };
        let of = &mut last[usize::from(row.key.as_bytes()[6] - b'0')];
        assert!(row.revision > *of);
        *of = row.revision;
    }
}

pub async fn a_watcher_that_is_too_slow_is_dropped(table: &dyn Table) {
    let mut watch = table.watch("slow/").await.unwrap();
    // Two attempts for each change, as an implementation may have room of its own on the way.
    let many = WATCH_BACKLOG * 2 + 1;
    for turn in 0..many.div_ceil(64) {
        join_all((0..64).map(|number| async move {
            let key = format!("slow/{turn}/{number}");
            table.put(&key, value("x"), Expect::Any).await.unwrap();
        }))
        .await;
    }
    let mut told = 0;
    while let Some(change) = next(&mut watch).await {
        told += usize::from(change != Change::Current);
        assert!(
            told < many,
            "it ends, since not everything could be kept for it"
        );
    }
    assert!(
        table.watch("slow/").await.is_ok(),
        "and can be started again"
    );
}
