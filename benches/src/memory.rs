//! Memory of an idle server, and what each warm environment adds without its runtime.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::Setup;
use crate::functions::Function;
use crate::server::Server;

const COUNT: usize = 20;

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<()> {
    println!("\n## Memory\n");
    let server = Server::start(setup)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = pss_kb(server.pid())?;
    let spawners = children(server.pid())?;
    let spawner_kb: u64 = spawners.iter().map(|pid| pss_kb(*pid).unwrap_or(0)).sum();
    server
        .create("sleep", &Function::python("app.sleep"))
        .await?;
    let request = server.invoke("sleep", b"{}")?;
    let mut invokes = JoinSet::new();
    for _ in 0..COUNT {
        let (mut connection, request) = (server.connect().await?, request.clone());
        invokes.spawn(async move { connection.ask(&request).await });
    }
    while let Some(answer) = invokes.join_next().await {
        answer??;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let busy = pss_kb(server.pid())?;
    // Children of the spawner are the sandboxes' inits; their children are the runtimes.
    let mut inits = 0;
    for spawner in &spawners {
        for init in children(*spawner)? {
            inits += pss_kb(init).unwrap_or(0);
        }
    }
    let each = (busy.saturating_sub(idle) + inits) as f64 / COUNT as f64;
    println!("| | MiB (proportional set size) |");
    println!("|---|---|");
    println!("| idle server | {:.1} |", idle as f64 / 1024.0);
    println!("| its spawners | {:.1} |", spawner_kb as f64 / 1024.0);
    println!(
        "| each of {COUNT} warm environments, without its runtime | {:.2} |",
        each / 1024.0
    );
    Ok(())
}

fn pss_kb(pid: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .context("no Pss")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        found.extend(
            text.split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    Ok(found)
}
