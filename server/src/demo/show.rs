//! Shows a cluster under load: a table that is redrawn, or printed now and then where nobody looks.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::hosts::Kind;
use super::inside::Cluster;
use super::load::Load;
use super::measured::Measured;
use super::metrics::sum;
use super::table::{self, Row};
use crate::cli::Demo;
use crate::terminal::{self, say};

/// Between two tables on a terminal.
const REDRAWN_EVERY: Duration = Duration::from_secs(1);
/// Between two tables elsewhere.
const PRINTED_EVERY: Duration = Duration::from_secs(5);

/// Until it is told to stop.
pub(super) async fn show(
    cluster: &mut Cluster,
    options: &Demo,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(1));
    let load = Load::start(&cluster.api, &cluster.doors, options.rate, &next);
    let terminal = std::io::stdout().is_terminal();
    let every = if terminal {
        REDRAWN_EVERY
    } else {
        PRINTED_EVERY
    };
    let (mut before, mut last, mut drawn) = (load.measured(), Instant::now(), 0);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = tokio::time::sleep(every) => {}
        }
        if terminal::is_lost() {
            break;
        }
        let measured = load.measured();
        let passed = last.elapsed();
        last = Instant::now();
        let rows = rows(cluster, &before, &measured, passed).await;
        before = measured;
        let mut lines = table::lines(&rows);
        lines.extend(ended(cluster)?);
        match terminal {
            true => terminal::repaint(&lines, drawn),
            false => lines.iter().for_each(|line| say!("{line}")),
        }
        drawn = lines.len();
    }
    load.finish().await;
    Ok(())
}

async fn rows(
    cluster: &Cluster,
    before: &[Measured],
    now: &[Measured],
    passed: Duration,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for (zone, (before, now)) in cluster.zones.iter().zip(before.iter().zip(now)) {
        let (mut front, mut work) = (String::new(), String::new());
        for (host, _) in cluster.hosts.iter().filter(|(host, _)| host.zone == *zone) {
            match host.kind {
                Kind::Front => front = cluster.metrics(host).await,
                Kind::Work => work = cluster.metrics(host).await,
                Kind::Centre => {}
            }
        }
        let state = |state| {
            let label = Some(("state", state));
            sum(&front, "lambent_assignment_environments", label) as u64
        };
        rows.push(Row {
            zone: zone.name(),
            leads: sum(&front, "lambent_assignment_partitions_led", None) as u64,
            environments: sum(&work, "lambent_worker_environments", None) as u64,
            warm: state("idle"),
            busy: state("busy"),
            per_second: (now.succeeded - before.succeeded) as f64 / passed.as_secs_f64(),
            errors: now.failed,
            cold_starts: sum(&front, "lambent_frontend_cold_starts_total", None) as u64,
            took: now.took.clone(),
        });
    }
    rows
}

/// A line for each process that has ended by itself.
fn ended(cluster: &mut Cluster) -> anyhow::Result<Vec<String>> {
    let hosts = cluster.hosts.iter_mut().map(|(_, process)| process);
    let nats = cluster.nats.iter_mut().map(|(_, process)| process);
    let mut lines = Vec::new();
    for process in hosts.chain(nats) {
        if let Some(status) = process.ended()? {
            lines.push(format!("{} has ended: {status}", process.name()));
        }
    }
    Ok(lines)
}
