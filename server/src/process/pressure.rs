//! How short this machine's processors are, as the kernel counts it.

use std::time::Duration;

use types::Pressure;

/// `/proc/pressure/cpu`: where the kernel counts it, since Linux 4.20.
pub(super) struct Processors;

impl Pressure for Processors {
    fn stalled(&self) -> Option<Duration> {
        total(&std::fs::read_to_string("/proc/pressure/cpu").ok()?)
    }

    fn processors(&self) -> u32 {
        let known = std::thread::available_parallelism().map_or(1, usize::from);
        u32::try_from(known).unwrap_or(u32::MAX)
    }
}

/// The line `some avg10=… avg60=… avg300=… total=<us>`: the time in which anything had to wait.
fn total(text: &str) -> Option<Duration> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some
        .split(' ')
        .find_map(|part| part.strip_prefix("total="))?;
    total.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read() {
        let text = "some avg10=24.41 avg60=46.18 avg300=57.52 total=9395682935\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(total(text), Some(Duration::from_micros(9_395_682_935)));
        assert_eq!(total(""), None);
        assert_eq!(total("some total=x"), None);
    }
}
