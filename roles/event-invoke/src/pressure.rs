//! Work that can wait is reduced while processors are short: how much of it is done at a time follows
//! how busy the machine is.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use types::Pressure;
use types::pressure::{FREE, SHORT};

use crate::windows::Windows;

/// How often it is measured.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The number of steps in which it returns to the maximum.
const STEPS: u32 = 8;

/// Adapts `windows`, of which there are `most` turns, until it is dropped. So much is done at a time as there
/// are processors, however busy they are: events are late then, and not stopped.
pub(crate) async fn follow(pressure: Arc<dyn Pressure>, windows: Arc<Windows>, most: u32) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = (Instant::now(), pressure.stalled());
    let mut now = most;
    let least = pressure.processors().clamp(1, most.max(1));
    // Where it is not known, it never will be.
    while let (then, Some(waited)) = before {
        look.tick().await;
        before = (Instant::now(), pressure.stalled());
        if let (at, Some(stalled)) = before {
            let waited = stalled.saturating_sub(waited).as_secs_f64();
            let passed = at.saturating_duration_since(then).as_secs_f64();
            now = next(now, (least, most), waited / passed.max(f64::EPSILON));
            windows.set_turns(now);
        }
    }
    std::future::pending().await
}

/// How many turns there are next. Pure.
fn next(now: u32, (least, most): (u32, u32), stalled: f64) -> u32 {
    if stalled > SHORT {
        (now / 2).max(least)
    } else if stalled < FREE {
        now.saturating_add((most / STEPS).max(1)).min(most)
    } else {
        now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::ManualClock;

    use super::*;

    #[test]
    fn it_stands_back_fast_and_returns_step_by_step() {
        let range = (2, 64);
        assert_eq!(next(64, range, 0.9), 32);
        assert_eq!(next(3, range, 1.0), 2);
        assert_eq!(next(2, range, 1.0), 2);
        assert_eq!(next(2, range, 0.4), 2);
        assert_eq!(next(2, range, 0.1), 10);
        assert_eq!(next(64, range, 0.0), 64);
        assert_eq!(next(1, (1, 1), 1.0), 1);
    }

    fn range() -> impl Strategy<Value = (u32, u32)> {
        (1_u32..10_000).prop_flat_map(|most| (1..=most, Just(most)))
    }

    proptest! {
        #[test]
        fn there_is_always_a_turn_and_never_one_too_many(
            (least, most) in range(),
            stalls: Vec<f64>,
        ) {
            let mut turns = most;
            for stalled in stalls {
                turns = next(turns, (least, most), stalled);
                prop_assert!((least..=most).contains(&turns));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_nothing_is_known_nothing_changes() {
        struct Unknown;
        impl Pressure for Unknown {
            fn stalled(&self) -> Option<Duration> {
                None
            }
            fn processors(&self) -> u32 {
                2
            }
        }
        let windows = Arc::new(Windows::new(Arc::new(ManualClock::default()), 64));
        let following = follow(Arc::new(Unknown), Arc::clone(&windows), 64);
        let long = Duration::from_secs(1);
        assert!(tokio::time::timeout(long, following).await.is_err());
        assert_eq!(windows.turns(), 64);
    }

    /// Something waits all the time, from its start on.
    struct Saturated(Instant);

    impl Pressure for Saturated {
        fn stalled(&self) -> Option<Duration> {
            Some(self.0.elapsed())
        }

        fn processors(&self) -> u32 {
            4
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_saturated_machine_is_left_to_others() {
        let windows = Arc::new(Windows::new(Arc::new(ManualClock::default()), 64));
        let pressure = Arc::new(Saturated(Instant::now()));
        let following = follow(pressure, Arc::clone(&windows), 64);
        let long = Duration::from_secs(1);
        assert!(tokio::time::timeout(long, following).await.is_err());
        assert_eq!(windows.turns(), 4);
    }
}
