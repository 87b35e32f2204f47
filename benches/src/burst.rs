//! Fifty invokes at once of a function that sleeps a second: all cold, then all warm.

use std::time::Instant;

use anyhow::bail;
use tokio::task::JoinSet;

use crate::Setup;
use crate::functions::Function;
use crate::server::Server;

const COUNT: usize = 50;

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<()> {
    println!("\n## {COUNT} concurrent invokes of a function that sleeps a second\n");
    println!("| | seconds until the last answer | beyond the sleep itself |");
    println!("|---|---|---|");
    let server = Server::start(setup)?;
    server
        .create("sleep", &Function::python("app.sleep"))
        .await?;
    // The pools fill.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    for kind in ["cold", "warm"] {
        let request = server.invoke("sleep", b"{}")?;
        let mut connections = Vec::new();
        for _ in 0..COUNT {
            connections.push(server.connect().await?);
        }
        let began = Instant::now();
        let mut invokes = JoinSet::new();
        for mut connection in connections {
            let request = request.clone();
            invokes.spawn(async move { connection.ask(&request).await });
        }
        while let Some(answer) = invokes.join_next().await {
            let answer = answer??;
            if answer.status != 200 || answer.failed {
                bail!(
                    "{}: {}",
                    answer.status,
                    String::from_utf8_lossy(&answer.body)
                );
            }
        }
        let took = began.elapsed().as_secs_f64();
        println!("| {kind} | {took:.3} | {:.3} |", took - 1.0);
    }
    Ok(())
}
