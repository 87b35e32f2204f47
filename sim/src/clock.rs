//! Tokio's time as a wall clock: paused and moved with it.

use std::time::Duration;

use tokio::time::Instant;
use types::{Clock, Timestamp};

/// Some moment to begin at: 2026-01-31T10:20:30Z.
const BEGIN: Timestamp = Timestamp::from_millis(1_769_854_830_000);

/// See the module.
pub struct TokioClock {
    began: Instant,
}

impl TokioClock {
    /// A clock that begins now.
    pub fn begin() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// How long it has gone.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        BEGIN.after(self.elapsed())
    }
}
