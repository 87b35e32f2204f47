//! The checks of `--check`: each prints a line, and the first that fails ends it.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::api::failure;
use super::hosts::{Host, Kind};
use super::inside::Cluster;
use super::load::Load;
use super::measured::Measured;
use super::metrics::sum;
use super::rolling;
use crate::cli::Demo;
use crate::terminal::say;

/// Invokes through each door.
const INVOKES: u64 = 10;
/// Events of the burst.
const EVENTS: u64 = 300;
/// All accepted events have been served within this time.
const SERVED_WITHIN: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_millis(500);
/// Load before, and after, something happens.
const QUIET: Duration = Duration::from_secs(3);

/// All checks in their order.
pub(super) async fn check(cluster: &mut Cluster, options: &Demo) -> anyhow::Result<ExitCode> {
    let next = Arc::new(AtomicU64::new(1));
    passed(
        "each zone's front door answers",
        doors(cluster, &next).await,
    )?;
    passed(
        "each event of a burst is served",
        burst(cluster, &next).await,
    )?;
    if cluster.zones.len() == 1 {
        passed("the log has what all workers printed", logs(cluster).await)?;
        say!("skip restarts: they need another zone that does the work meanwhile");
        return Ok(ExitCode::SUCCESS);
    }
    let what = "a drained worker runs nothing while invokes continue";
    passed(what, drained(cluster, options, &next).await)?;
    passed("the log has what all workers printed", logs(cluster).await)?;
    let load = Load::start(&cluster.api, &cluster.doors, options.rate, &next);
    tokio::time::sleep(QUIET).await;
    let rolled = rolling::lambent(cluster).await;
    let outcome = settled(cluster, load, rolled).await;
    let what = "every process is restarted under load, and nothing is lost";
    passed(what, outcome)?;
    if options.nats {
        let load = Load::start(&cluster.api, &cluster.doors, options.rate, &next);
        tokio::time::sleep(QUIET).await;
        let rolled = rolling::nats(cluster).await;
        let outcome = settled(cluster, load, rolled).await;
        let what = "every NATS server is restarted under load, and nothing is lost";
        passed(what, outcome)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints how a check went; its error ends the rest.
fn passed(what: &str, outcome: anyhow::Result<String>) -> anyhow::Result<()> {
    match outcome {
        Ok(found) => {
            say!("ok   {what}: {found}");
            Ok(())
        }
        Err(error) => {
            say!("FAIL {what}: {error:#}");
            bail!("a check has failed: {what}")
        }
    }
}

async fn doors(cluster: &Cluster, next: &AtomicU64) -> anyhow::Result<String> {
    for (zone, door) in cluster.zones.iter().zip(&cluster.doors) {
        for _ in 0..INVOKES {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let answer = cluster.api.invoke(door, number, false).await;
            let answer = answer.with_context(|| format!("zone {}", zone.name()))?;
            if let Some(why) = failure(&answer, false) {
                bail!("zone {}: {why}", zone.name());
            }
        }
    }
    Ok(format!(
        "{INVOKES} invokes through each of {}",
        cluster.doors.len()
    ))
}

async fn burst(cluster: &Cluster, next: &AtomicU64) -> anyhow::Result<String> {
    let first = next.fetch_add(EVENTS, Ordering::Relaxed);
    let mut accepted = Vec::new();
    let numbers: Vec<u64> = (first..first + EVENTS).collect();
    for some in numbers.chunks(10) {
        let sending = some.iter().map(|number| {
            let door = usize::try_from(*number).unwrap_or(0) % cluster.doors.len();
            cluster.api.invoke(&cluster.doors[door], *number, true)
        });
        for (number, answer) in some
            .iter()
            .zip(futures_util::future::join_all(sending).await)
        {
            if let Some(why) = failure(&answer?, true) {
                bail!("event {number}: {why}");
            }
            accepted.push(*number);
        }
    }
    served(cluster, &accepted).await
}

/// Waits until all these are in the log.
async fn served(cluster: &Cluster, accepted: &[u64]) -> anyhow::Result<String> {
    let began = Instant::now();
    loop {
        let all = cluster
            .api
            .served(&cluster.doors[0])
            .await
            .context("the log")?;
        let distinct: BTreeSet<u64> = all.iter().copied().collect();
        let missing: Vec<&u64> = { accepted.iter() }
            .filter(|number| !distinct.contains(number))
            .collect();
        if missing.is_empty() {
            let own: BTreeSet<u64> = accepted.iter().copied().collect();
            let times = all.iter().filter(|number| own.contains(number)).count();
            let (seconds, again) = (began.elapsed().as_secs_f64(), times - own.len());
            return Ok(format!(
                "{} of {} events served within {seconds:.1} s, {again} of them again",
                own.len(),
                own.len()
            ));
        }
        if began.elapsed() > SERVED_WITHIN {
            let some: Vec<&&u64> = missing.iter().take(10).collect();
            bail!(
                "{} of {} events are not in the log: {some:?} …",
                missing.len(),
                accepted.len()
            );
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What ran by then, on workers of several zones, is all in the log.
async fn logs(cluster: &Cluster) -> anyhow::Result<String> {
    let mut found = Vec::new();
    for (host, _) in cluster
        .hosts
        .iter()
        .filter(|(host, _)| host.kind == Kind::Work)
    {
        found.push((host.zone.name(), ran(cluster, host).await));
    }
    let busy = found.iter().filter(|(_, invokes)| *invokes > 0.0).count();
    if busy < found.len().min(2) {
        bail!(
            "only {busy} of {} workers ran anything: {found:?}",
            found.len()
        );
    }
    let all = cluster.api.served(&cluster.doors[0]).await?.len();
    let ran: f64 = found.iter().map(|(_, invokes)| invokes).sum();
    if (all as f64) < ran {
        bail!("{ran} invokes ran, and the log has {all}");
    }
    let zones = found
        .iter()
        .map(|(zone, invokes)| format!("{invokes} in {zone}"));
    Ok(format!(
        "{all} lines; {}",
        zones.collect::<Vec<_>>().join(", ")
    ))
}

/// The worker that has run most is drained under load, and taken back.
async fn drained(
    cluster: &Cluster,
    options: &Demo,
    next: &Arc<AtomicU64>,
) -> anyhow::Result<String> {
    let load = Load::start(&cluster.api, &cluster.doors, options.rate, next);
    tokio::time::sleep(QUIET).await;
    let (mut busiest, mut most) = (None, -1.0);
    for (host, _) in &cluster.hosts {
        let invokes = ran(cluster, host).await;
        if host.kind == Kind::Work && invokes > most {
            (busiest, most) = (Some(host), invokes);
        }
    }
    let host = busiest.context("there is no worker")?;
    let done = async {
        cluster.command(&["drain", &host.name()]).await?;
        let before = ran(cluster, host).await;
        tokio::time::sleep(QUIET).await;
        let after = ran(cluster, host).await;
        if after > before {
            bail!("{} ran {} invokes", host.name(), after - before);
        }
        cluster.command(&["drain", "--undo", &host.name()]).await
    };
    let done = done.await;
    let found = settled(cluster, load, done).await?;
    Ok(format!("{} is empty; {found}", host.name()))
}

/// How many invokes a worker has run since it was started.
async fn ran(cluster: &Cluster, host: &Host) -> f64 {
    let text = cluster.metrics(host).await;
    sum(&text, "lambent_worker_invokes_total", None)
}

/// Ends the load, and counts.
async fn settled(
    cluster: &Cluster,
    load: Load,
    rolled: anyhow::Result<()>,
) -> anyhow::Result<String> {
    tokio::time::sleep(QUIET).await;
    let (measured, accepted) = load.finish().await;
    rolled?;
    let sum = |of: fn(&Measured) -> u64| measured.iter().map(of).sum::<u64>();
    let (succeeded, failed) = (sum(|m| m.succeeded), sum(|m| m.failed));
    if failed > 0 {
        let why: Vec<&String> = measured.iter().flat_map(|zone| &zone.why).collect();
        bail!("{failed} of {} failed: {why:#?}", succeeded + failed);
    }
    let elsewhere = sum(|m| m.elsewhere);
    let events = served(cluster, &accepted).await?;
    Ok(format!(
        "{succeeded} requests, none failed ({elsewhere} went to another zone's door); {events}"
    ))
}
