//! First invokes of new functions, compared with a bare start of the same runtime.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::Setup;
use crate::floor::Bare;
use crate::functions::Function;
use crate::load::Figures;
use crate::server::Server;

/// Functions of each language: each is cold once.
const COUNT: usize = 21;
/// Between two of them, so that the pools are full again: this measures one start, not a burst.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<()> {
    println!("\n## Cold starts ({COUNT} functions each)\n");
    println!("| echo | p50 ms | p90 ms | bare start p50 ms | cold / bare | cold - bare ms |");
    println!("|---|---|---|---|---|---|");
    let mut functions = Function::echoes(setup)?;
    functions.extend(Function::java(setup));
    let server = Server::start(setup)?;
    for function in functions {
        let mut bare = Vec::new();
        for _ in 0..COUNT {
            let mut started = Bare::start(setup, &function).await?;
            // With its first event, as a cold invoke has it.
            let first = started
                .measure(b"{}", Duration::ZERO + Duration::from_nanos(1))
                .await?;
            bare.push(started.started_in + first.took);
        }
        let bare = Figures::new(bare, Duration::from_secs(1)).ms(0.5);
        let mut times = Vec::new();
        for number in 0..COUNT {
            let name = format!("cold-{}-{number}", &function.runtime[..4]);
            server.create(&name, &function).await?;
            let request = server.invoke(&name, b"{}")?;
            let mut connection = server.connect().await?;
            tokio::time::sleep(PAUSE).await;
            let asked = Instant::now();
            let answer = connection.ask(&request).await?;
            times.push(asked.elapsed());
            if answer.status != 200 || answer.failed {
                bail!("{name}: {}", String::from_utf8_lossy(&answer.body));
            }
        }
        let cold = Figures::new(times, Duration::from_secs(1));
        let p50 = cold.ms(0.5);
        println!(
            "| {} | {p50:.1} | {:.1} | {bare:.1} | {:.2} | {:.1} |",
            function.language,
            cold.ms(0.9),
            p50 / bare,
            p50 - bare
        );
    }
    Ok(())
}
