//! Warm invokes through the signed HTTP API, compared with the floor.

use std::time::Duration;

use crate::Setup;
use crate::floor::Bare;
use crate::functions::Function;
use crate::load::closed_loop;
use crate::server::Server;

const EVENT: &[u8] = br#"{"key1":"value1","key2":"value2","key3":"value3"}"#;
const WARM_UP: Duration = Duration::from_secs(1);
const LASTS: Duration = Duration::from_secs(5);

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<()> {
    println!("\n## Warm invokes\n");
    println!(
        "| echo | connections | p50 ms | p99 ms | invokes/s | server CPU ms/invoke | floor p50 ms | p50 / floor | p50 - floor ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for function in Function::echoes(setup)? {
        let mut bare = Bare::start(setup, &function).await?;
        bare.measure(EVENT, WARM_UP).await?;
        let floor = bare.measure(EVENT, Duration::from_secs(2)).await?.ms(0.5);
        drop(bare);
        let server = Server::start(setup)?;
        server.create("echo", &function).await?;
        let request = server.invoke("echo", EVENT)?;
        for connections in [1, 16] {
            closed_loop(&server.address, &request, connections, WARM_UP).await?;
            let before = server.cpu_ms()?;
            let figures = closed_loop(&server.address, &request, connections, LASTS).await?;
            let cpu = (server.cpu_ms()? - before) / figures.count() as f64;
            let p50 = figures.ms(0.5);
            println!(
                "| {} | {connections} | {p50:.3} | {:.3} | {:.0} | {cpu:.3} | {floor:.3} | {:.2} | {:.3} |",
                function.language,
                figures.ms(0.99),
                figures.rate(),
                p50 / floor,
                p50 - floor,
            );
        }
    }
    Ok(())
}
