//! Asynchronous invokes: how fast they are kept, and what a flood of them does to others.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Setup;
use crate::functions::Function;
use crate::load::{Figures, closed_loop, closed_loop_while, paced};
use crate::server::Server;

const LASTS: Duration = Duration::from_secs(5);
const CLIENTS: usize = 64;
/// Events a second that paced clients send: a little over the least that is wanted.
const RATE: f64 = 10_500.0;
/// Synchronous callers during the flood: fewer than the processors have work for.
const SYNC_CLIENTS: usize = 1;
/// Events of the noisy function, and of the quiet one.
const BACKLOG: usize = 50_000;
const SINGLE: usize = 20;

/// Durable acknowledgements, compared with the disk's raw fsync.
pub(crate) async fn acceptance(setup: &Setup) -> anyhow::Result<()> {
    println!("\n## Events of 1 KB accepted, {CLIENTS} clients\n");
    println!(
        "| | accepted/s | ack p50 ms | ack p99 ms | p99 / fsync p50 | p99 / fsync p99 | server CPU ms/event |"
    );
    println!("|---|---|---|---|---|---|---|");
    let event = serde_json::to_vec(&serde_json::json!({ "data": "x".repeat(1_010) }))?;
    let echo = Function::rust(setup)?;
    for (name, function) in [
        ("for a function that sleeps", Function::python("app.sleep")),
        ("invoked meanwhile", echo),
    ] {
        let server = Server::start(setup)?;
        server.create("function", &function).await?;
        let request = server.event("function", &event)?;
        let warm = Duration::from_secs(1);
        paced(&server.events, &request, (CLIENTS, RATE), warm)?;
        let disk = fsyncs(server.data(), Duration::from_secs(2))?;
        let row = |how: &str, acks: &Figures, before: f64| -> anyhow::Result<()> {
            println!(
                "| {name}, {how} | {:.0} | {:.3} | {:.3} | {:.1} | {:.1} | {:.3} |",
                acks.rate(),
                acks.ms(0.5),
                acks.ms(0.99),
                acks.ms(0.99) / disk.ms(0.5),
                acks.ms(0.99) / disk.ms(0.99),
                (server.cpu_ms()? - before) / acks.count() as f64,
            );
            Ok(())
        };
        let before = server.cpu_ms()?;
        let acks = paced(&server.events, &request, (CLIENTS, RATE), LASTS)?;
        row("at a set pace", &acks, before)?;
        let before = server.cpu_ms()?;
        let acks = closed_loop(&server.events, &request, CLIENTS, LASTS).await?;
        row("as fast as they are taken", &acks, before)?;
        println!(
            "| fsync alone | {:.0} | {:.3} | {:.3} | | | |",
            disk.rate(),
            disk.ms(0.5),
            disk.ms(0.99)
        );
    }
    Ok(())
}

/// Synchronous invokes of one function with and without a flood of events for another.
pub(crate) async fn flood(setup: &Setup) -> anyhow::Result<()> {
    println!("\n## Synchronous invokes during a flood of events, {CLIENTS} clients\n");
    println!("| | p50 ms | p99 ms | invokes/s | events accepted/s |");
    println!("|---|---|---|---|---|");
    let event = serde_json::to_vec(&serde_json::json!({ "data": "x".repeat(1_010) }))?;
    let server = Server::start(setup)?;
    for name in ["sync", "event"] {
        server.create(name, &Function::rust(setup)?).await?;
    }
    let (sync, events) = (
        server.invoke("sync", b"{}")?,
        server.event("event", &event)?,
    );
    closed_loop(&server.address, &sync, SYNC_CLIENTS, Duration::from_secs(1)).await?;
    let alone = closed_loop(&server.address, &sync, SYNC_CLIENTS, LASTS).await?;
    row("alone", &alone, None);
    for (address, name) in [
        (&server.events, "during a flood at the events' own address"),
        (&server.address, "during a flood at the same address"),
    ] {
        let flood = Flood::start(address, &events)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let beside = closed_loop(&server.address, &sync, SYNC_CLIENTS, LASTS).await?;
        let accepted = flood.finish()?;
        row(name, &beside, Some(accepted.rate()));
        let ratio = |fraction| beside.ms(fraction) / alone.ms(fraction);
        let rate = beside.rate() / alone.rate();
        println!(
            "| ratio | {:.2} | {:.2} | {rate:.2} | |",
            ratio(0.5),
            ratio(0.99)
        );
        server.drained().await?;
    }
    Ok(())
}

fn row(name: &str, figures: &Figures, accepted: Option<f64>) {
    let accepted = accepted.map_or(String::new(), |rate| format!("{rate:.0}"));
    let (p50, p99, rate) = (figures.ms(0.5), figures.ms(0.99), figures.rate());
    println!("| {name} | {p50:.3} | {p99:.3} | {rate:.0} | {accepted} |");
}

/// Clients that send events as fast as they are taken, on a thread of their own.
struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Figures>>,
}

impl Flood {
    fn start(address: &str, request: &[u8]) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (address, request) = (address.to_owned(), request.to_vec());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("flood".to_owned())
            .spawn(move || {
                // It would be on other machines: it takes no processor from what is measured.
                rustix::process::setpriority_process(None, 19)?;
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(closed_loop_while(&address, &request, CLIENTS, || {
                    !stopped.load(Ordering::Relaxed)
                }))
            })?;
        Ok(Self { stop, thread })
    }

    fn finish(self) -> anyhow::Result<Figures> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(figures) => figures,
            Err(_) => anyhow::bail!("the flood has panicked"),
        }
    }
}

/// One event of a function while many of another one wait.
pub(crate) async fn neighbour(setup: &Setup) -> anyhow::Result<()> {
    println!("\n## One event behind {BACKLOG} of another function\n");
    println!("| | ms until it is invoked: median | slowest |");
    println!("|---|---|---|");
    let server = Server::start(setup)?;
    server
        .create("noisy", &Function::python("app.sleep"))
        .await?;
    server
        .create("quiet", &Function::python("app.echo"))
        .await?;
    let (noise, event) = (server.event("noisy", b"{}")?, server.event("quiet", b"{}")?);
    told(&server, &event, 1).await?;
    row_of_times("alone", &told(&server, &event, SINGLE).await?);
    let sent = AtomicUsize::new(0);
    let more = || sent.fetch_add(1, Ordering::Relaxed) < BACKLOG;
    closed_loop_while(&server.address, &noise, CLIENTS, more).await?;
    row_of_times("with the backlog", &told(&server, &event, SINGLE).await?);
    Ok(())
}

fn row_of_times(name: &str, figures: &Figures) {
    println!(
        "| {name} | {:.1} | {:.1} |",
        figures.ms(0.5),
        figures.ms(1.0)
    );
}

/// Sends events one at a time; how long each took until its function had written of it to its log.
async fn told(server: &Server, event: &[u8], count: usize) -> anyhow::Result<Figures> {
    let query =
        serde_json::json!({ "logGroupName": "/aws/lambda/quiet", "filterPattern": "START" });
    let query = server.logs("FilterLogEvents", &query.to_string())?;
    let starts = async || -> anyhow::Result<usize> {
        let answer = server.connect().await?.ask(&query).await?;
        let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
        Ok(body["events"].as_array().map_or(0, Vec::len))
    };
    let mut times = Vec::new();
    let began = Instant::now();
    for _ in 0..count {
        let before = starts().await?;
        let sent = Instant::now();
        server.connect().await?.ask(event).await?;
        while starts().await? == before {
            if sent.elapsed() > Duration::from_secs(30) {
                anyhow::bail!("an event is not invoked within half a minute");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.push(sent.elapsed());
    }
    Ok(Figures::new(times, began.elapsed()))
}

/// The raw rate of the disk: 4 KB written and synced, again and again.
fn fsyncs(folder: &std::path::Path, lasts: Duration) -> anyhow::Result<Figures> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    file.write_all(&vec![0; 4 * 1024 * 1024])?;
    file.sync_all()?;
    let block = [1; 4096];
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < lasts {
        let at = Instant::now();
        file.write_all_at(&block, (times.len() as u64 % 1_024) * 4_096)?;
        file.sync_data()?;
        times.push(at.elapsed());
    }
    let figures = Figures::new(times, began.elapsed());
    std::fs::remove_file(path)?;
    Ok(figures)
}
