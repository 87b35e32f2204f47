//! Time as a parameter.
//!
//! Everything that decides by the clock takes a [`Clock`], so that tests cover six hours in
//! milliseconds and a simulation owns time. Instants are milliseconds since 1970 (UTC): that is
//! what AWS's headers and stored records speak, and finer steps decide nothing here.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// This instant, `duration` later. Saturates at the end of time.
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// As Lambda writes `LastModified`: `2026-01-31T10:20:30.123+0000`.
    pub fn to_lambda_text(self) -> String {
        let (civil, millis) = self.civil();
        format!("{}.{millis:03}+0000", civil.strftime("%Y-%m-%dT%H:%M:%S"))
    }

    /// As ISO 8601 with milliseconds and `Z`: `2026-01-31T10:20:30.123Z`.
    pub fn to_iso_text(self) -> String {
        let (civil, millis) = self.civil();
        format!("{}.{millis:03}Z", civil.strftime("%Y-%m-%dT%H:%M:%S"))
    }

    /// As ISO 8601 without fractions: `2026-01-31T10:20:30Z`.
    pub fn to_iso_seconds_text(self) -> String {
        self.civil().0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// As web servers log it: `31/Jan/2026:10:20:30 +0000`.
    pub fn to_log_text(self) -> String {
        let (civil, _) = self.civil();
        format!("{} +0000", civil.strftime("%d/%b/%Y:%H:%M:%S"))
    }

    /// As Lambda writes some times: `2026-01-31T10:20:30+0000`.
    pub fn to_seconds_text(self) -> String {
        let (civil, _) = self.civil();
        format!("{}+0000", civil.strftime("%Y-%m-%dT%H:%M:%S"))
    }

    /// The UTC date as `YYYY/MM/DD`, the first part of a log stream's name.
    pub fn to_date_path(self) -> String {
        self.civil().0.strftime("%Y/%m/%d").to_string()
    }

    fn civil(self) -> (jiff::Timestamp, u64) {
        // Years past 9999 cannot be written in these formats; the largest instant stands for them.
        let seconds = i64::try_from(self.0 / 1000).unwrap_or(i64::MAX);
        (
            jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX),
            self.0 % 1000,
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_iso_text())
    }
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the wall clock is read"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Timestamp::default().after(since_epoch)
    }
}

/// A clock that moves only when it is told to.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_aws_writes_them() {
        let time = Timestamp::from_millis(1_769_854_830_123);
        assert_eq!(time.to_lambda_text(), "2026-01-31T10:20:30.123+0000");
        assert_eq!(time.to_iso_text(), "2026-01-31T10:20:30.123Z");
        assert_eq!(time.to_log_text(), "31/Jan/2026:10:20:30 +0000");
        assert_eq!(time.to_date_path(), "2026/01/31");
    }

    #[test]
    fn the_end_of_time_is_written_without_panic() {
        let _ = Timestamp::from_millis(u64::MAX).to_lambda_text();
    }

    #[test]
    fn differences_never_go_below_zero() {
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
