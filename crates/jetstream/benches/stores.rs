//! How fast the cluster's stores are on one server and on three, which all run on this machine:
//! `cargo bench -p jetstream --bench stores`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot run says so"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use storage::memory::MemoryBlobs;
use storage::{Appended, Consistency, Expect, Journal as _, Position, Queue as _, Table as _};
use support::Servers;
use tokio::time::Instant;

const CALLS: usize = 500;
const WRITERS: usize = 32;

/// The median, and calls a second with many callers at once.
async fn measure<T>(name: &str, call: impl AsyncFn(usize) -> T) {
    let mut times = Vec::new();
    for number in 0..CALLS {
        let began = Instant::now();
        call(number).await;
        times.push(began.elapsed());
    }
    times.sort();
    let began = Instant::now();
    let writers = (0..WRITERS).map(async |writer| {
        for number in 0..CALLS / 10 {
            call(CALLS + writer * CALLS + number).await;
        }
    });
    join_all(writers).await;
    let rate = (WRITERS * (CALLS / 10)) as f64 / began.elapsed().as_secs_f64();
    let p = |percent: usize| times[CALLS * percent / 100].as_micros();
    println!(
        "  {name:<14} p50 {:>6} us   p99 {:>6} us   {rate:>7.0}/s with {WRITERS}",
        p(50),
        p(99)
    );
}

async fn stores(count: usize) {
    println!("{count} server(s)");
    let servers = Servers::start(count, "always");
    let cluster = servers.connect().await;
    let value = Bytes::from(vec![b'x'; 1_000]);

    let rows = cluster.rows("metadata").await.unwrap();
    let put = async |number: usize| {
        let key = format!("row/{number}");
        rows.put(&key, value.clone(), Expect::Any).await.unwrap();
    };
    measure("put", put).await;
    let get = async |_| rows.get("row/1", Consistency::Strong).await.unwrap();
    measure("strong get", get).await;
    measure("list of 50", async |_| {
        rows.list("row/", None, 50).await.unwrap()
    })
    .await;

    let journals = cluster.journals().await.unwrap();
    // A partition for each caller: one journal has one writer.
    let append = async |number: usize| {
        let partition = match number / CALLS {
            0 => "p0".to_owned(),
            writer => format!("p{}", writer % 8),
        };
        let mut at = journals.tail(&partition).await.unwrap();
        while let Appended::Fenced { next } =
            journals.append(&partition, at, vec![value.clone()]).await
        {
            at = next;
        }
    };
    measure("tail, append", append).await;
    let mut at = Position(0);
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let began = Instant::now();
        if let Appended::Done { next } = journals.append("one", at, vec![value.clone()]).await {
            at = next;
        }
        times.push(began.elapsed());
    }
    times.sort();
    println!(
        "  append         p50 {:>6} us",
        times[CALLS / 2].as_micros()
    );

    let queues = cluster.queues(Arc::new(MemoryBlobs::default())).await;
    let queues = queues.unwrap();
    let send = async |_| {
        queues
            .send("q", value.clone(), Duration::ZERO)
            .await
            .unwrap()
    };
    measure("send", send).await;
    let minute = Duration::from_secs(60);
    let take = async |_| {
        let held = queues
            .receive("q", 1, minute, Duration::ZERO)
            .await
            .unwrap();
        for message in held {
            queues.ack("q", message.receipt).await.unwrap();
        }
    };
    measure("receive, ack", take).await;
    late(&queues).await;
}

/// How late a delayed message is.
async fn late(queues: &jetstream::Queues) {
    let mut late = Vec::new();
    for number in 0..20 {
        let delay = Duration::from_millis(100 + 53 * number);
        let began = Instant::now();
        queues.send("late", Bytes::new(), delay).await.unwrap();
        let minute = Duration::from_secs(60);
        let held = queues.receive("late", 1, minute, minute).await.unwrap();
        late.push(began.elapsed().saturating_sub(delay));
        queues.ack("late", held[0].receipt).await.unwrap();
    }
    late.sort();
    println!(
        "  delays         late by {:?} in the middle, {:?} at most",
        late[10], late[19]
    );
}

#[tokio::main]
async fn main() {
    // Not a test: `cargo test --benches` passes it by.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    for count in [1, 3] {
        stores(count).await;
    }
}
