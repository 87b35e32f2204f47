//! How many of a function's events may be invoked at a time, learned from what becomes of them. Pure.
//!
//! ```text
//!   begin: 8 ─▶ doubles while all goes well ─▶ throttled: half ─▶ one more each round ─▶ half …
//! ```
//!
//! Invokes by callers who wait and other pollers take from the same limits, and the limits change: so
//! it is found out, and found out again. It grows only while it is used up.

use std::time::Duration;

use types::Timestamp;

/// What a function begins with (AWS's pollers begin with a handful).
const SIZE_FIRST: f64 = 8.0;
/// Throttles within so long count as one: they were all caused by the same size.
const CUT_EVERY: Duration = Duration::from_secs(1);

/// One function's window.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Window {
    size: f64,
    in_flight: u32,
    /// Whether it was never throttled: then it doubles from round to round.
    opening: bool,
    cut: Option<Timestamp>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            size: SIZE_FIRST,
            in_flight: 0,
            opening: true,
            cut: None,
        }
    }
}

impl Window {
    /// How many invokes more may begin, of `max` at most.
    pub(crate) fn room(&self, max: u32) -> u32 {
        self.whole(max).saturating_sub(self.in_flight)
    }

    /// Begins an invoke, if there is room.
    pub(crate) fn begin(&mut self, max: u32) -> bool {
        let room = self.room(max) > 0;
        self.in_flight += u32::from(room);
        room
    }

    /// An invoke that began is over: it ran, or `throttled` at `now`.
    pub(crate) fn end(&mut self, throttled: bool, max: u32, now: Timestamp) {
        let used_up = self.room(max) == 0;
        self.in_flight = self.in_flight.saturating_sub(1);
        if !throttled {
            if used_up {
                self.size += if self.opening { 1.0 } else { 1.0 / self.size };
                self.size = self.size.min(f64::from(max));
            }
            return;
        }
        self.opening = false;
        if self.cut.is_none_or(|cut| now.since(cut) >= CUT_EVERY) {
            self.size = (self.size / 2.0).max(1.0);
            self.cut = Some(now);
        }
    }

    /// Gives back what began and did not come to an end.
    pub(crate) fn forget(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Whether nothing runs in it.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight == 0
    }

    fn whole(&self, max: u32) -> u32 {
        // It is at least one, and `max` is a small number.
        (self.size.min(f64::from(max)) as u32).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u32 = 100;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    /// Fills the window, then ends all: as many throttled as are beyond `limit`.
    fn round(window: &mut Window, limit: u32, now: Timestamp) -> u32 {
        let mut begun = 0;
        while window.begin(MAX) {
            begun += 1;
        }
        for n in 0..begun {
            window.end(n >= limit, MAX, now);
        }
        begun
    }

    #[test]
    fn it_opens_quickly_as_far_as_it_may() {
        let mut window = Window::default();
        let sizes: Vec<u32> = (0..6).map(|_| round(&mut window, MAX, at(0))).collect();
        assert_eq!(sizes[0], 8);
        assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(sizes[5] > 12, "{sizes:?}");
        for _ in 0..2_000 {
            round(&mut window, MAX, at(0));
        }
        assert_eq!(round(&mut window, MAX, at(0)), MAX);
    }

    #[test]
    fn it_settles_near_the_limit() {
        let mut window = Window::default();
        let mut throttled = 0;
        let mut ran = 0;
        for second in 0..400 {
            let begun = round(&mut window, 20, at(second * 1_000));
            if second >= 100 {
                throttled += begun.saturating_sub(20);
                ran += begun.min(20);
            }
        }
        assert!(
            ran > 300 * 10,
            "it uses at least half of what it may: {ran}"
        );
        assert!(
            throttled < ran / 50,
            "it seldom asks for too much: {throttled} of {ran}"
        );
    }

    #[test]
    fn throttles_of_one_moment_count_once() {
        let mut window = Window::default();
        round(&mut window, 0, at(0));
        assert_eq!(window.room(MAX), 4);
        round(&mut window, 0, at(500));
        assert_eq!(window.room(MAX), 4);
        for second in 1..10 {
            round(&mut window, 0, at(second * 1_000));
        }
        assert_eq!(
            window.room(MAX),
            1,
            "never less than one, or nobody would ever know"
        );
    }

    #[test]
    fn it_does_not_grow_while_it_is_not_used_up() {
        let mut window = Window::default();
        for _ in 0..100 {
            assert!(window.begin(MAX));
            window.end(false, MAX, at(0));
        }
        assert_eq!(window.room(MAX), 8);
    }

    proptest! {
        #[test]
        fn never_more_than_may_be_and_never_stuck(
            steps in prop::collection::vec((0_u8..4, 0_u64..3_000), 0..300), max in 1_u32..50,
        ) {
            let (mut window, mut in_flight, mut now) = (Window::default(), 0_u32, at(0));
            for (step, millis) in steps {
                now = now.after(Duration::from_millis(millis));
                match step {
                    0 | 1 => in_flight += u32::from(window.begin(max)),
                    _ if in_flight == 0 => {}
                    2 => { window.end(millis % 2 == 0, max, now); in_flight -= 1; }
                    _ => { window.forget(); in_flight -= 1; }
                }
                prop_assert!(in_flight <= max);
                prop_assert!(in_flight > 0 || window.room(max) > 0);
                prop_assert_eq!(window.is_idle(), in_flight == 0);
            }
        }
    }
}
