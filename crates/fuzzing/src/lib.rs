//! Runs a property on generated input, for as long as one likes.
//!
//! A fuzz target is an ordinary test whose name begins with `fuzz_` and that calls [`run`]. With the
//! other tests it runs [`CASES`] cases. `cargo xtask fuzz` runs all targets for a time of one's
//! choice, which it passes on as [`SECONDS_VARIABLE`].
//!
//! A failing case is printed after proptest has shrunk it. It belongs into a named test.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// The variable with the seconds that each target runs. Without it a target runs [`CASES`] cases.
pub const SECONDS_VARIABLE: &str = "LAMBENT_FUZZ_SECONDS";

/// Cases of a target that runs with the other tests, and of each round of a longer run.
pub const CASES: u32 = 256;

/// Checks `property` on values of `input`. `name` is the target's, without `fuzz_`.
///
/// # Panics
///
/// If the property does not hold: with the smallest value found for which it does not.
pub fn run<S: Strategy>(
    name: &str,
    input: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) where
    S::Value: Debug,
{
    let started = Instant::now();
    let mut rounds: u64 = 0;
    loop {
        // A runner of its own for each round, so that rejected cases of a long run do not add up.
        let mut runner = TestRunner::new(Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        });
        if let Err(failure) = runner.run(&input, &property) {
            #[expect(clippy::panic, reason = "a test fails by a panic")]
            {
                panic!("fuzz {name}: after {rounds} rounds: {failure}");
            }
        }
        rounds += 1;
        if started.elapsed() >= duration() {
            break;
        }
    }
    let cases = rounds * u64::from(CASES);
    let seconds = started.elapsed().as_secs_f64();
    println!("fuzz {name}: {cases} cases in {seconds:.1} s, no failure");
}

/// How long each target runs at least.
fn duration() -> Duration {
    let seconds = std::env::var(SECONDS_VARIABLE).ok();
    Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn fuzz_property_that_holds() {
        super::run("property_that_holds", any::<u8>(), |value| {
            prop_assert!(u16::from(value) < 256);
            Ok(())
        });
    }

    #[test]
    #[should_panic(expected = "minimal failing input: 100")]
    fn a_failure_is_told_by_its_smallest_input() {
        super::run("failure", 0..1_000_u32, |value| {
            prop_assert!(value < 100);
            Ok(())
        });
    }
}
