//! Processes that share their queues are killed and frozen in the middle of their work: the queues move to
//! others, and every event that was accepted is invoked.
//!
//! A process is a runtime with its own thread: when killed, the runtime is dropped as it is; when frozen, its
//! thread is blocked, with everything that would have shown that it is alive. `LAMBENT_KILL_EVENTS` makes it large;
//! the figures are printed.

#![expect(
    clippy::unwrap_used,
    reason = "what goes wrong outside the test's own function fails it nevertheless"
)]

mod functions;
mod standing;
mod world;

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use standing::StandStill;
use world::{Process, World};

/// Without a wish: enough that every disruption hits queues that are full.
const EVENTS: usize = 3_000;
/// Processes at a time.
const PROCESSES: usize = 3;
/// As many are killed, and as many frozen.
const DISRUPTIONS: usize = 5;
#[test]
fn every_accepted_event_is_invoked_though_processes_are_killed_and_frozen() {
    let wish = std::env::var("LAMBENT_KILL_EVENTS").ok();
    let events = wish.and_then(|text| text.parse().ok()).unwrap_or(EVENTS);
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path(), events);
    let mut running: VecDeque<Process> = (0..PROCESSES).map(|n| world.start(n)).collect();
    let began = Instant::now();
    let accepting = world.accept_all();
    let mut frozen: Option<Process> = None;
    let mut lost_sight_of = Vec::new();
    for disruption in 0..2 * DISRUPTIONS {
        world.wait_until(|| world.invoked() >= events * (disruption + 1) / (2 * DISRUPTIONS + 1));
        let process = running.pop_front().unwrap();
        if disruption % 2 == 0 {
            process.kill();
        } else {
            // The one before it continues, with all that it believes to hold.
            running.extend(frozen.take().map(Process::thaw));
            frozen = Some(process.freeze());
        }
        lost_sight_of.push(world.invoked());
        while running.len() < PROCESSES - 1 {
            running.push_back(world.start(PROCESSES + disruption));
        }
    }
    accepting.join().unwrap();
    world.wait_until(|| world.invoked() == events);
    let without_the_frozen = began.elapsed();
    running.extend(frozen.take().map(Process::thaw));
    world.wait_until(|| world.left() == 0);
    running.into_iter().for_each(Process::stop);
    let lost = events - world.invoked();
    let duplicates: u32 = world
        .counts
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .sum();
    println!(
        "{events} events in {:.1} s, {DISRUPTIONS} processes killed and {DISRUPTIONS} frozen: lost {lost}, \
         duplicates {}; invoked at each disruption: {lost_sight_of:?}",
        without_the_frozen.as_secs_f64(),
        duplicates as usize - events,
    );
    assert_eq!(lost, 0);
}

/// A blocked thread blocks everything that was to run on it, in a process that is alive: its leases
/// are renewed, but the visibility of what it took out of the queue is not.
#[test]
fn a_poller_that_stands_still_in_a_process_that_lives_is_replaced() {
    let (events, folder) = (500, tempfile::tempdir().unwrap());
    let mut world = World::new(folder.path(), events);
    let still = Arc::new(StandStill(Mutex::new(None)));
    world.stand_still = Some(Arc::clone(&still));
    let process = world.start(0);
    // The next poller that receives something is blocked. If the test fails, it is released first.
    let (ice, melts) = mpsc::channel::<()>();
    *still.0.lock().unwrap() = Some(melts);
    world.accept_all().join().unwrap();
    world.wait_until(|| world.invoked() == events);
    assert!(world.left() < events as u64);
    drop(ice);
    world.wait_until(|| world.left() == 0);
    process.stop();
}
