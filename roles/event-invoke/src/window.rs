//! How many of a function's events may be worked on at a time, learned from their results. Pure.
//!
//! ```text
//!   begin: 8 ─▶ doubles while all goes well ─▶ throttled: half ─▶ one more each round ─▶ half …
//!                                              and a pause: 20 ms, twice as long each time until
//!                                              something runs, 10 s at most
//! ```
//!
//! Synchronous invokes and other pollers share the same limits, and the limits change: so
//! the window is probed continuously. It grows only while it is used up. A function that may not run at all
//! is rarely tried, however many events wait.

use std::time::Duration;

use types::Timestamp;

/// What a function begins with (AWS's pollers begin with a handful).
const SIZE_FIRST: f64 = 8.0;
/// All throttles within this time halve it only once: they were all caused by the same size.
const CUT_EVERY: Duration = Duration::from_secs(1);
/// The pause after the first throttle: what it stumbled over may be over in a moment.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// The longest pause: how late it is noticed that there is room again.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// One function's window.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Window {
    size: f64,
    in_flight: u32,
    /// Whether it was never throttled: then it doubles from round to round.
    opening: bool,
    cut: Option<Timestamp>,
    /// The last pause, if nothing has run since.
    pause: Duration,
    paused_until: Timestamp,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            size: SIZE_FIRST,
            in_flight: 0,
            opening: true,
            cut: None,
            pause: Duration::ZERO,
            paused_until: Timestamp::default(),
        }
    }
}

impl Window {
    /// How many more may begin, of `max` at most.
    pub(crate) fn room(&self, max: u32, now: Timestamp) -> u32 {
        match self.pause_left(now).is_zero() {
            true => self.whole().min(max).saturating_sub(self.in_flight),
            false => 0,
        }
    }

    /// How long nothing may begin.
    pub(crate) fn pause_left(&self, now: Timestamp) -> Duration {
        let left = self.paused_until.since(now);
        // There is no longer one: the clock was set back.
        match left > PAUSE_MAX {
            true => Duration::ZERO,
            false => left,
        }
    }

    /// Begins one, if there is room.
    pub(crate) fn begin(&mut self, max: u32, now: Timestamp) -> bool {
        let room = self.room(max, now) > 0;
        self.in_flight += u32::from(room);
        room
    }

    /// One that began is over: it ran, or was throttled at `now`. It never grows beyond `max`.
    pub(crate) fn end(&mut self, throttled: bool, max: u32, now: Timestamp) {
        let used_up = self.in_flight >= self.whole();
        self.in_flight = self.in_flight.saturating_sub(1);
        if !throttled {
            self.pause = Duration::ZERO;
            if used_up {
                self.size += if self.opening { 1.0 } else { 1.0 / self.size };
                self.size = self.size.min(f64::from(max)).max(1.0);
            }
            return;
        }
        self.opening = false;
        let is_new = |cut| now < cut || now.since(cut) >= CUT_EVERY;
        if self.cut.is_none_or(is_new) {
            self.size = (self.size / 2.0).max(1.0);
            self.cut = Some(now);
        }
        // Those that began before the pause say nothing new.
        if self.pause_left(now).is_zero() {
            self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            self.paused_until = now.after(self.pause);
        }
    }

    /// Gives back what began and did not come to an end.
    pub(crate) fn forget(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// How many have begun and are not over.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    fn whole(&self) -> u32 {
        // It is at least one, and at most a number of invokes.
        self.size as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u32 = 100;
    /// Long after all pauses.
    const END: u64 = 1_000_000;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    /// Fills the window, then ends all: as many throttled as are beyond `limit`.
    fn round(window: &mut Window, limit: u32, now: Timestamp) -> u32 {
        let mut begun = 0;
        while window.begin(MAX, now) {
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
        assert_eq!(window.room(MAX, at(END)), 4);
        round(&mut window, 0, at(500));
        assert_eq!(window.room(MAX, at(END)), 4);
        for second in 1..10 {
            round(&mut window, 0, at(second * 1_000));
        }
        assert_eq!(
            window.room(MAX, at(END)),
            1,
            "never less than one, or nobody would ever know"
        );
    }

    #[test]
    fn whoever_may_not_run_is_asked_for_more_and_more_seldom() {
        let (mut window, mut asked) = (Window::default(), 0);
        for millis in 0..60_000 {
            asked += round(&mut window, 0, at(millis));
        }
        assert!((8..60).contains(&asked), "{asked}");
        // Once something runs it is as if nothing had been.
        let later = at(100_000);
        assert_eq!(round(&mut window, 9, later), 1);
        assert_eq!(round(&mut window, 0, later), 2);
        assert_eq!(window.pause_left(later), PAUSE_MIN);
    }

    #[test]
    fn it_does_not_grow_while_it_is_not_used_up() {
        let mut window = Window::default();
        for _ in 0..100 {
            assert!(window.begin(MAX, at(0)));
            window.end(false, MAX, at(0));
        }
        assert_eq!(window.room(MAX, at(END)), 8);
    }

    #[test]
    fn a_clock_that_is_set_back_prolongs_no_pause() {
        let mut window = Window::default();
        assert!(window.begin(MAX, at(3_600_000)));
        window.end(true, MAX, at(3_600_000));
        assert!(window.pause_left(at(0)) <= PAUSE_MAX);
        assert!(window.begin(MAX, at(u64::try_from(PAUSE_MAX.as_millis()).unwrap())));
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
                    0 | 1 => in_flight += u32::from(window.begin(max, now)),
                    _ if in_flight == 0 => {}
                    2 => { window.end(millis % 2 == 0, max, now); in_flight -= 1; }
                    _ => { window.forget(); in_flight -= 1; }
                }
                prop_assert!(in_flight <= max);
                let later = now.after(PAUSE_MAX);
                prop_assert!(in_flight > 0 || window.room(max, later) > 0);
                prop_assert_eq!(window.in_flight(), in_flight);
            }
        }
    }
}
