//! Stopping without losing anything: accept no new requests, finish the old ones, end the environments,
//! close the stores. And stopping in any case: no part is waited for indefinitely, and 949 s after the
//! stop signal this process ends, whatever holds it up. What still lives then is ended by the kernel
//! along with it, and its empty folders are removed by the next start.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use types::limits::TIMEOUT_SECONDS_MAX;

use super::draining;
use super::roles::Running;

/// Connections that stay open without a request are closed by their keep-alive; whatever still
/// runs after the longest function time is cut off.
const INVOKES_WITHIN: Duration = Duration::from_secs(TIMEOUT_SECONDS_MAX as u64 + 1);
/// The shutdown phase of environments takes 2 s at most, and their killed processes 10 s. A journal
/// that cannot be written is not waited for any longer: the next start knows that all of them have
/// ended.
const ENVIRONMENTS_WITHIN: Duration = Duration::from_secs(12);
/// What is known of environments is written, and leases are given back.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(5);
/// What functions printed last is stored.
const PRINTED_WITHIN: Duration = Duration::from_secs(5);
/// Calls of other processes: those that last have ended with the invokes and the environments.
const CALLS_WITHIN: Duration = Duration::from_secs(3);
/// Background tasks end where they wait, or are abandoned.
const BACKGROUND_WITHIN: Duration = Duration::from_secs(2);
/// The roles themselves: a moment's work, except for a disk that does not answer.
const DROPPED_WITHIN: Duration = Duration::from_secs(3);
/// How long service managers wait after the stop signal (docs/running.md) before they kill.
const GIVEN: Duration = Duration::from_secs(950);

/// How long stopping may take in all, if the service manager waits for `given`: we end before it kills
/// us, so that the log says why.
fn last(given: Duration) -> Duration {
    given.saturating_sub(Duration::from_secs(1))
}

/// Ends this process when its time to stop is over, should anything hold it up. To be called on the
/// stop signal.
pub(super) fn end_in_time() {
    end_after(last(GIVEN));
}

fn end_after(time: Duration) {
    let end = Instant::now() + time;
    let wait = move || {
        loop {
            // Threads may wake up before their time.
            match end.saturating_duration_since(Instant::now()) {
                Duration::ZERO => break,
                left => std::thread::park_timeout(left),
            }
        }
        tracing::error!("stopping takes too long; this process ends now");
        std::process::exit(1);
    };
    let thread = std::thread::Builder::new().name("last-deadline".to_owned());
    if let Err(error) = thread.spawn(wait) {
        tracing::warn!(%error, "could not start the watchdog of the shutdown");
    }
}

/// Stops everything in the order of the picture, top down. Cuts off what still runs on a second signal,
/// `again`.
pub(super) async fn drain(
    mut running: Running,
    mut serving: JoinSet<()>,
    again: impl Future<Output = ()>,
) {
    if let Some(assignment) = &mut running.assignment {
        let handed_over = tokio::time::timeout(HAND_OVER_WITHIN, assignment.hand_over()).await;
        if handed_over.is_err() {
            tracing::error!("the journal does not answer: others lead when the leases are over");
        }
    }
    let invokes = async {
        // The front door's tasks end by themselves or have panicked; either way no request is left.
        while serving.join_next().await.is_some() {}
        if let Some(pollers) = &mut running.pollers {
            pollers.shutdown().await;
        }
        if let Some(entry) = &running.entry {
            entry.frontend.drain().await;
        }
        if let Some(dispatch) = &running.dispatch {
            dispatch.drain().await;
        }
        // Others' invokes run here, too.
        if let (Some(network), Some(worker)) = (&running.network, &running.worker) {
            draining::emptied(network.views(), network.process(), &worker.handle).await;
            worker.handle.finish().await;
        }
    };
    tokio::select! {
        biased;
        () = invokes => {}
        () = again => tracing::warn!("second stop signal: what still runs is cut off"),
        () = tokio::time::sleep(INVOKES_WITHIN) => {
            tracing::error!("some invokes did not end in time and are cut off");
        }
    }
    // In a cluster, environments outlive the process that lends them.
    let lends = running.assignment.as_ref();
    let lends = lends.filter(|_| running.network.is_none());
    if let Some(assignment) = lends {
        assignment.drain();
    }
    let environments = async {
        if let Some(worker) = &running.worker {
            worker.handle.shutdown().await;
        }
        if let Some(assignment) = lends {
            assignment.shutdown().await;
        }
    };
    if tokio::time::timeout(ENVIRONMENTS_WITHIN, environments)
        .await
        .is_err()
    {
        tracing::error!("some environments did not end in time; the kernel ends them");
    }
    if let Some(printed) = running.printed.take()
        && tokio::time::timeout(PRINTED_WITHIN, printed.flush())
            .await
            .is_err()
    {
        tracing::error!("the last of what functions printed could not be stored");
    }
    if let Some(network) = running.network.take() {
        let left = tokio::time::timeout(CALLS_WITHIN, network.leave()).await;
        if left.is_err() {
            tracing::error!("some calls of other processes did not end in time and are cut off");
        }
    }
    let background = running.background.shutdown();
    if tokio::time::timeout(BACKGROUND_WITHIN, background)
        .await
        .is_err()
    {
        tracing::error!("a background task does not end and is abandoned");
    }
    let stores = running.stores.clone();
    // What roles hold may be in the middle of a write, and is waited for where it is dropped.
    let dropped = tokio::task::spawn_blocking(move || drop(running));
    let dropped = tokio::time::timeout(DROPPED_WITHIN, dropped).await.is_ok();
    if !stores.close().await || !dropped {
        // Everything acknowledged is on the disk. What is dropped from here on would wait for it, too.
        tracing::error!("the disk does not answer: this process ends as it is");
        std::process::exit(1);
    }
    tracing::info!("stopped");
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::network::SEEN_WITHIN;
    use super::super::stores::CLOSED_WITHIN;
    use super::*;

    #[test]
    fn the_longest_invoke_comes_to_its_end_and_so_do_we_before_we_are_killed() {
        let last = last(GIVEN);
        let parts = [
            SEEN_WITHIN,
            HAND_OVER_WITHIN,
            INVOKES_WITHIN,
            ENVIRONMENTS_WITHIN,
            PRINTED_WITHIN,
            CALLS_WITHIN,
            BACKGROUND_WITHIN,
            DROPPED_WITHIN,
            CLOSED_WITHIN,
        ];
        assert!(last > parts.iter().sum::<Duration>());
        assert_eq!(last, Duration::from_secs(949));
    }

    /// This test once more, as the process that hangs.
    const HANGS: &str = "LAMBENT_TEST_HANGS";

    #[test]
    fn what_hangs_is_ended_at_the_last_deadline() {
        if std::env::var_os(HANGS).is_some() {
            end_after(Duration::from_millis(100));
            loop {
                std::thread::park();
            }
        }
        let name = "process::drain::tests::what_hangs_is_ended_at_the_last_deadline";
        let mut hanging = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(HANGS, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let give_up = Instant::now() + Duration::from_secs(60);
        let ended = loop {
            match hanging.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > give_up => {
                    hanging.kill().unwrap();
                    break hanging.wait().unwrap();
                }
                None => std::thread::park_timeout(Duration::from_millis(10)),
            }
        };
        assert_eq!(ended.code(), Some(1), "{ended}");
    }
}
