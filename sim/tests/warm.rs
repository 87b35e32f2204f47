//! What a warm invoke costs.

use std::time::Duration;

use faulty::Rates;
use sim::engine::Habits;
use sim::function::Event;
use sim::world::{Function, Plan, World};

const MS: Duration = Duration::from_millis(1);
/// The most sequential round trips of one warm invoke.
const ROUND_TRIPS_MAX: f64 = 3.0;

async fn world() -> World {
    let function = Function {
        name: "f".to_owned(),
        reserved: None,
        timeout_seconds: 3,
    };
    World::begin(&Plan {
        seed: 1,
        machines: 1,
        leaders: 1,
        functions: vec![function],
        account_concurrency: 100,
        habits: Habits::AT_ONCE,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_warm_invoke_goes_there_and_back_twice() {
    let world = world().await;
    world.network.set_arrows(Rates::fixed(MS));
    let mut number = 0;
    let mut round_trips = async || {
        number += 1;
        let began = world.clock.elapsed();
        let outcome = world.invoke("f", &Event::answered(number, 0)).await;
        assert!(!outcome.unwrap().failed);
        let took = world.clock.elapsed() - began;
        // The report is in transit; the next invoke comes when it has arrived.
        tokio::time::sleep(100 * MS).await;
        took.as_secs_f64() / (2 * MS).as_secs_f64()
    };
    let cold = round_trips().await;
    let warm = [round_trips().await, round_trips().await];
    println!("round trips of 2 ms each: cold {cold}, warm {warm:?}");
    assert!(warm.iter().all(|warm| *warm <= ROUND_TRIPS_MAX), "{warm:?}");
}
