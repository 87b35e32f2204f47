//! What happens to an invoke and to an environment when one thing fails.

use std::sync::Arc;
use std::time::Duration;

use api::assignment::{Assignment as _, Provision, Standing};
use api::invoke::{Error, Outcome};
use api::worker::{Create, Error as WorkerError, Worker as _};
use faulty::{Faults, Faulty, Rates};
use sim::around::any_keys;
use sim::engine::Habits;
use sim::function::{Deed, Event};
use sim::world::{Function, Plan, World};
use tokio::time::sleep;
use types::{Clock as _, EnvironmentId};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Every answer is lost.
const NO_ANSWER: Rates = Rates {
    lost_after: 1.0,
    ..Rates::fixed(Duration::ZERO)
};

async fn world(machines: u32) -> World {
    let function = |name: &str, reserved, timeout_seconds| Function {
        name: name.to_owned(),
        reserved,
        timeout_seconds,
    };
    World::begin(&Plan {
        seed: 1,
        machines,
        leaders: 1,
        functions: vec![
            function("f", None, 3),
            function("one", Some(1), 3),
            function("long", None, 600),
        ],
        account_concurrency: 100,
        habits: Habits::AT_ONCE,
    })
    .await
}

fn is_answered(outcome: &Result<Outcome, Error>) -> bool {
    matches!(outcome, Ok(outcome) if !outcome.failed)
}

fn status(outcome: &Result<Outcome, Error>) -> u16 {
    outcome.as_ref().map_or_else(|error| error.status, |_| 200)
}

/// A cold invoke, and time until its environment is idle.
async fn warm_up(world: &World, function: &str) {
    let outcome = world.invoke(function, &Event::answered(0, 0)).await;
    assert!(is_answered(&outcome), "{outcome:?}");
    sleep(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn an_invoke_whose_worker_cannot_be_reached_runs_on_another() {
    let world = world(2).await;
    warm_up(&world, "f").await;
    let machines = world.directory.all();
    let used = machines.iter().find(|machine| machine.engine.made() > 0);
    used.unwrap().cut_off(true);
    let outcome = world.invoke("f", &Event::answered(1, 0)).await;
    assert!(is_answered(&outcome), "{outcome:?}");
    assert_eq!(world.ledger.runs(1), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invoke_whose_outcome_is_lost_is_not_run_again() {
    let world = world(2).await;
    warm_up(&world, "f").await;
    world.network.workers.set(NO_ANSWER);
    let outcome = world.invoke("f", &Event::answered(1, 10)).await;
    assert_eq!(status(&outcome), 500);
    sleep(60 * SECOND).await;
    assert!(world.ledger.runs(1) <= 1);
    world.network.workers.set(Rates::default());
    let outcome = world.invoke("f", &Event::answered(2, 0)).await;
    assert!(is_answered(&outcome), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn an_invoke_on_a_machine_that_fails_is_lost_and_the_next_one_runs_elsewhere() {
    let world = world(1).await;
    let invoking = tokio::spawn(world.invoking("f", &Event::answered(1, 1_000)));
    sleep(500 * MS).await;
    let failed = world.directory.all()[0].clone();
    world.add_machine();
    failed.fail();
    assert_eq!(status(&invoking.await.unwrap()), 500);
    sleep(SECOND).await;
    assert_eq!(world.ledger.runs(1), 1);
    // Nobody has noticed that it has ended.
    let outcome = world.invoke("f", &Event::answered(2, 0)).await;
    assert!(is_answered(&outcome), "{outcome:?}");
    world.directory.forget(failed.id);
    let outcome = world.invoke("f", &Event::answered(3, 0)).await;
    assert!(is_answered(&outcome), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn an_invoke_that_cannot_be_counted_is_not_run() {
    let world = world(1).await;
    world.network.counting.set(Rates::cut_off());
    let outcome = world.invoke("f", &Event::answered(1, 0)).await;
    assert_eq!((status(&outcome), world.ledger.runs(1)), (503, 0));
}

#[tokio::test(start_paused = true)]
async fn a_permit_whose_answer_is_lost_is_given_back() {
    let world = world(1).await;
    world.network.counting.set(NO_ANSWER);
    let outcome = world.invoke("one", &Event::answered(1, 0)).await;
    assert_eq!((status(&outcome), world.ledger.runs(1)), (503, 0));
    world.network.counting.set(Rates::default());
    sleep(2 * SECOND).await;
    let outcome = world.invoke("one", &Event::answered(2, 0)).await;
    assert!(is_answered(&outcome), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_on_its_way_holds_its_environment_for_some_seconds() {
    let world = world(1).await;
    warm_up(&world, "f").await;
    world.network.assignment.set(NO_ANSWER);
    let outcome = world.invoke("f", &Event::answered(1, 0)).await;
    assert_eq!((status(&outcome), world.ledger.runs(1)), (503, 0));
    world.network.assignment.set(Rates::default());
    sleep(SECOND).await;
    assert!(world.assignment.counts().busy > 0);
    sleep(30 * SECOND).await;
    assert_eq!(world.assignment.counts().busy, 0);
    assert!(world.assignment.counts().idle > 0);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_lost_is_said_again() {
    let world = world(1).await;
    let invoking = tokio::spawn(world.invoking("f", &Event::answered(1, 1_000)));
    sleep(500 * MS).await;
    world.network.assignment.set(Rates::cut_off());
    assert!(is_answered(&invoking.await.unwrap()));
    sleep(3 * SECOND).await;
    assert_eq!(world.assignment.counts().busy, 1);
    world.network.assignment.set(Rates::default());
    sleep(2 * SECOND).await;
    assert_eq!(world.assignment.counts().idle, 1);
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_runs_is_not_taken_for_lost_however_long_it_takes() {
    let world = world(1).await;
    let invoking = tokio::spawn(world.invoking("long", &Event::answered(1, 500_000)));
    sleep(450 * SECOND).await;
    assert_eq!(world.assignment.counts().busy, 1);
    assert!(is_answered(&invoking.await.unwrap()));
    assert_eq!(world.ledger.runs(1), 1);
}

#[tokio::test(start_paused = true)]
async fn a_result_whose_stream_breaks_off_is_no_result() {
    let world = world(1).await;
    warm_up(&world, "f").await;
    let event = Event {
        deed: Deed::Stream,
        ..Event::answered(1, 1_000)
    };
    let invoking = tokio::spawn(world.invoking("f", &event));
    // It has begun to answer.
    sleep(1_300 * MS).await;
    world.network.workers.set(NO_ANSWER);
    assert_eq!(status(&invoking.await.unwrap()), 500);
    assert_eq!(world.ledger.runs(1), 1);
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_has_been_is_not_made_again_by_a_request_that_comes_late() {
    let world = world(1).await;
    let worker = &world.directory.all()[0].worker;
    let create = create(&world);
    let id = create.environment;
    worker.create(create.clone()).await.unwrap();
    worker.destroy(id).await.unwrap();
    let gone = Err(WorkerError::NotFound { environment: id });
    assert_eq!(worker.create(create.clone()).await, gone);
    // The request to end it may even arrive first.
    let create = self::create(&world);
    let id = create.environment;
    worker.destroy(id).await.unwrap();
    let gone = Err(WorkerError::NotFound { environment: id });
    assert_eq!(worker.create(create).await, gone);
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_is_to_end_while_it_is_made_ends() {
    let world = world(1).await;
    let machine = world.directory.all()[0].clone();
    machine.engine.set(Habits {
        making: (SECOND, SECOND),
        ..Habits::AT_ONCE
    });
    let create = create(&world);
    let id = create.environment;
    let worker = machine.worker.clone();
    let making = tokio::spawn(async move { worker.create(create).await });
    sleep(500 * MS).await;
    machine.worker.destroy(id).await.unwrap();
    assert!(making.await.unwrap().is_err());
    assert_eq!(machine.worker.environments().await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn environments_of_a_leader_that_is_gone_end_with_their_leases() {
    let world = world(1).await;
    warm_up(&world, "f").await;
    let machine = world.directory.all()[0].clone();
    machine.cut_off(true);
    world.directory.forget(machine.id);
    sleep(World::LEASE_MAX + 60 * SECOND).await;
    assert_eq!(machine.worker.environments().await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_heartbeats_are_lost_is_given_nothing_new_and_keeps_what_it_has() {
    let world = world(1).await;
    warm_up(&world, "f").await;
    world.network.placement.set(Rates::cut_off());
    sleep(10 * SECOND).await;
    let warm = world.invoke("f", &Event::answered(1, 0)).await;
    assert!(is_answered(&warm), "{warm:?}");
    let cold = world.invoke("one", &Event::answered(2, 0)).await;
    assert_eq!((status(&cold), world.ledger.runs(2)), (503, 0));
    world.network.placement.set(Rates::default());
    sleep(2 * SECOND).await;
    let cold = world.invoke("one", &Event::answered(3, 0)).await;
    assert!(is_answered(&cold), "{cold:?}");
}

#[tokio::test(start_paused = true)]
async fn an_order_to_end_an_environment_is_said_until_it_is_heard() {
    let world = world(1).await;
    warm_up(&world, "f").await;
    world.network.workers.set(Rates::cut_off());
    // Long enough to be idle for too long.
    sleep(620 * SECOND).await;
    assert_eq!(world.assignment.counts().draining, 1);
    let machine = world.directory.all()[0].clone();
    assert_eq!(machine.worker.environments().await.unwrap().len(), 1);
    world.network.workers.set(Rates::default());
    sleep(2 * SECOND).await;
    assert_eq!(world.assignment.counts().draining, 0);
    assert_eq!(machine.worker.environments().await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn provisioned_environments_come_and_go_whatever_is_lost_on_the_way() {
    let world = world(2).await;
    let rates = Rates {
        delay: (Duration::ZERO, 10 * MS),
        lost_before: 0.2,
        lost_after: 0.2,
        duplicated: 0.2,
        late: SECOND,
    };
    world.network.set_arrows(rates);
    let far = Faulty::new(Arc::clone(&world.assignment), Faults::new(7, rates));
    let wanted = |count| Provision {
        function: world.version("f"),
        count,
        held: false,
        asked: world.clock.now(),
    };
    // As a provisioner does, every second.
    for _ in 0..30 {
        let _ = far.provision(vec![wanted(5)]).await;
        sleep(SECOND).await;
    }
    world.network.set_arrows(Rates::default());
    let near = &world.assignment;
    let mut standing = Vec::new();
    for _ in 0..30 {
        standing = near.provision(vec![wanted(5)]).await.unwrap();
        sleep(SECOND).await;
    }
    let ready = Standing {
        ready: 5,
        failure: None,
    };
    assert_eq!(standing, [Some(ready)]);
    near.provision(Vec::new()).await.unwrap();
    sleep(20 * SECOND).await;
    let mut left = 0;
    for machine in world.directory.all() {
        left += machine.worker.environments().await.unwrap().len();
    }
    assert_eq!(left, 0);
}

/// Asks a worker for an environment, as assignment does.
fn create(world: &World) -> Create {
    Create {
        environment: EnvironmentId::random(world.chance()),
        function: world.version("f"),
        credentials: any_keys(),
        lease_end: world.clock.now().after(600 * SECOND),
        ahead: false,
    }
}
