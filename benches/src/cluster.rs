//! A cluster compared with one process, both on this machine: warm invokes, and events kept. `benches/cluster` starts one and runs this.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use crate::Setup;
use crate::functions::Function;
use crate::load::closed_loop;
use crate::server::Server;

const EVENT: &[u8] = br#"{"key1":"value1","key2":"value2","key3":"value3"}"#;
const WARM_UP: Duration = Duration::from_secs(2);
const LASTS: Duration = Duration::from_secs(5);
/// Concurrent senders of events.
const SENDERS: usize = 64;

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<()> {
    let variable = |name: &str| {
        std::env::var(name).with_context(|| format!("{name} is not set: run benches/cluster"))
    };
    let address = variable("BENCH_ADDRESS")?;
    let folder = PathBuf::from(variable("BENCH_CREDENTIALS")?);
    let cluster = Server::running(&address, &folder)?;
    let alone = Server::start(setup)?;
    let echo = Function::rust(setup)?;
    for server in [&alone, &cluster] {
        server.create("echo", &echo).await?;
    }
    println!("\n## Warm invokes through one frontend of a cluster, compared with one process\n");
    println!("| connections | | p50 ms | p99 ms | p99.9 ms | invokes/s | p50 - one process, ms |");
    println!("|---|---|---|---|---|---|---|");
    for connections in [1, 16] {
        let mut base = None;
        for (name, server) in [("one process", &alone), ("cluster", &cluster)] {
            let request = server.invoke("echo", EVENT)?;
            closed_loop(&server.address, &request, connections, WARM_UP).await?;
            let figures = closed_loop(&server.address, &request, connections, LASTS).await?;
            let p50 = figures.ms(0.5);
            let base = *base.get_or_insert(p50);
            println!(
                "| {connections} | {name} | {p50:.3} | {:.3} | {:.3} | {:.0} | {:.3} |",
                figures.ms(0.99),
                figures.ms(0.999),
                figures.rate(),
                p50 - base,
            );
        }
    }
    println!("\n## Events of 1 KB kept, {SENDERS} senders\n");
    println!("| | accepted/s | p50 ms | p99 ms |");
    println!("|---|---|---|---|");
    let event = serde_json::to_vec(&serde_json::json!({ "data": "x".repeat(1_010) }))?;
    for (name, server) in [("one process", &alone), ("cluster", &cluster)] {
        let request = server.event("echo", &event)?;
        closed_loop(&server.events, &request, SENDERS, WARM_UP).await?;
        let figures = closed_loop(&server.events, &request, SENDERS, LASTS).await?;
        println!(
            "| {name} | {:.0} | {:.3} | {:.3} |",
            figures.rate(),
            figures.ms(0.5),
            figures.ms(0.99)
        );
    }
    Ok(())
}
