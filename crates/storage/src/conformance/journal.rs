//! The promises of [`Journal`].

#![expect(missing_docs, reason = "the functions' names are their documentation")]

use bytes::Bytes;
use futures_util::future::join_all;

use crate::journal::{APPEND_RECORDS_MAX, RECORD_BYTES_MAX};
use crate::{Appended, Journal, Position, Record};

fn records(texts: &[&str]) -> Vec<Bytes> {
    texts
        .iter()
        .map(|text| Bytes::copy_from_slice(text.as_bytes()))
        .collect()
}

fn done(next: u64) -> Appended {
    Appended::Done {
        next: Position(next),
    }
}

fn fenced(next: u64) -> Appended {
    Appended::Fenced {
        next: Position(next),
    }
}

async fn append(journal: &dyn Journal, partition: &str, at: u64, texts: &[&str]) -> Appended {
    journal
        .append(partition, Position(at), records(texts))
        .await
}

async fn read(journal: &dyn Journal, partition: &str, from: u64) -> Vec<(u64, String)> {
    let found = journal.read(partition, Position(from), 100).await.unwrap();
    let text = |record: Record| {
        (
            record.position.0,
            String::from_utf8(record.bytes.to_vec()).unwrap(),
        )
    };
    found.into_iter().map(text).collect()
}

fn found(records: &[(u64, &str)]) -> Vec<(u64, String)> {
    records
        .iter()
        .map(|(position, text)| (*position, (*text).to_owned()))
        .collect()
}

pub async fn records_are_read_in_the_order_they_were_appended(journal: &dyn Journal) {
    assert_eq!(journal.tail("order").await.unwrap(), Position(0));
    assert_eq!(read(journal, "order", 0).await, []);
    assert_eq!(append(journal, "order", 0, &["a", "b"]).await, done(2));
    assert_eq!(append(journal, "order", 2, &["c"]).await, done(3));
    assert_eq!(journal.tail("order").await.unwrap(), Position(3));
    assert_eq!(
        read(journal, "order", 0).await,
        found(&[(0, "a"), (1, "b"), (2, "c")])
    );
    assert_eq!(read(journal, "order", 2).await, found(&[(2, "c")]));
    assert_eq!(read(journal, "order", 3).await, []);
    assert_eq!(read(journal, "order", u64::MAX).await, []);
    assert_eq!(
        journal.read("order", Position(1), 1).await.unwrap().len(),
        1
    );
    assert_eq!(journal.read("order", Position(0), 0).await.unwrap(), []);
}

pub async fn a_stale_writer_is_fenced_and_told_the_tail(journal: &dyn Journal) {
    assert_eq!(append(journal, "fence", 5, &["x"]).await, fenced(0));
    assert_eq!(append(journal, "fence", 0, &["a", "b"]).await, done(2));
    for stale in [0, 1, 3, u64::MAX] {
        assert_eq!(append(journal, "fence", stale, &["x"]).await, fenced(2));
    }
    assert_eq!(
        read(journal, "fence", 0).await,
        found(&[(0, "a"), (1, "b")])
    );
}

pub async fn of_many_writers_at_one_position_one_is_not_fenced(journal: &dyn Journal) {
    for turn in 0..10u64 {
        let writers = (0..16).map(|writer| async move {
            append(journal, "race", turn, &[&format!("{writer}")]).await
        });
        let answers = join_all(writers).await;
        let winners: Vec<usize> = (0..16)
            .filter(|writer| answers[*writer] == done(turn + 1))
            .collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        assert_eq!(
            read(journal, "race", turn).await,
            [(turn, winners[0].to_string())]
        );
    }
}

pub async fn an_append_is_done_in_full_or_not_at_all(journal: &dyn Journal) {
    let writers = (0..32u64).map(|writer| async move {
        let texts = [&*format!("{writer}"), "b", "c"];
        append(journal, "whole", (writer % 8) * 3, &texts).await
    });
    let answers = join_all(writers).await;
    let whole = answers
        .iter()
        .filter(|answer| matches!(answer, Appended::Done { .. }))
        .count();
    let tail = journal.tail("whole").await.unwrap();
    assert_eq!(tail, Position(whole as u64 * 3));
    for (position, text) in read(journal, "whole", 0).await {
        match position % 3 {
            0 => assert!(text.parse::<u64>().is_ok()),
            1 => assert_eq!(text, "b"),
            _ => assert_eq!(text, "c"),
        }
    }
}

pub async fn an_append_of_nothing_asks_for_the_tail(journal: &dyn Journal) {
    assert_eq!(append(journal, "nothing", 0, &[]).await, done(0));
    assert_eq!(append(journal, "nothing", 0, &["a"]).await, done(1));
    assert_eq!(append(journal, "nothing", 0, &[]).await, fenced(1));
    assert_eq!(append(journal, "nothing", 1, &[]).await, done(1));
}

pub async fn partitions_do_not_know_of_each_other(journal: &dyn Journal) {
    assert_eq!(append(journal, "one", 0, &["a"]).await, done(1));
    assert_eq!(append(journal, "one-more", 0, &["b"]).await, done(1));
    journal.trim("one", Position(1)).await.unwrap();
    assert_eq!(read(journal, "one-more", 0).await, found(&[(0, "b")]));
    assert_eq!(journal.tail("on").await.unwrap(), Position(0));
}

pub async fn trimming_forgets_records_and_keeps_positions(journal: &dyn Journal) {
    journal.trim("trim", Position(9)).await.unwrap();
    assert_eq!(append(journal, "trim", 0, &["a", "b", "c"]).await, done(3));
    for _ in 0..2 {
        journal.trim("trim", Position(2)).await.unwrap();
        assert_eq!(read(journal, "trim", 2).await, found(&[(2, "c")]));
    }
    journal.trim("trim", Position(1)).await.unwrap();
    journal.trim("trim", Position(u64::MAX)).await.unwrap();
    assert_eq!(read(journal, "trim", 0).await, []);
    assert_eq!(journal.tail("trim").await.unwrap(), Position(3));
    assert_eq!(
        append(journal, "trim", 0, &["x"]).await,
        fenced(3),
        "trimmed is not new"
    );
    assert_eq!(append(journal, "trim", 3, &["d"]).await, done(4));
    assert_eq!(read(journal, "trim", 0).await, found(&[(3, "d")]));
}

pub async fn reading_from_the_trimmed_begins_with_the_oldest_kept(journal: &dyn Journal) {
    assert_eq!(
        append(journal, "oldest", 0, &["a", "b", "c", "d"]).await,
        done(4)
    );
    journal.trim("oldest", Position(2)).await.unwrap();
    assert_eq!(
        read(journal, "oldest", 0).await,
        found(&[(2, "c"), (3, "d")])
    );
    assert_eq!(
        journal.read("oldest", Position(1), 1).await.unwrap()[0].position,
        Position(2)
    );
}

pub async fn the_largest_append_fits(journal: &dyn Journal) {
    let many = vec![Bytes::from_static(b"x"); APPEND_RECORDS_MAX];
    let next = APPEND_RECORDS_MAX as u64;
    assert_eq!(
        journal.append("largest", Position(0), many).await,
        done(next)
    );
    let large = Bytes::from(vec![7; RECORD_BYTES_MAX]);
    let appended = journal
        .append("largest", Position(next), vec![large.clone()])
        .await;
    assert_eq!(appended, done(next + 1));
    assert_eq!(
        journal.read("largest", Position(next), 9).await.unwrap()[0].bytes,
        large
    );
}
