//! A token bucket in whole numbers: fills with time, never beyond what it holds.

use crate::Timestamp;

/// Thousandths of a token, so that a rate per second is a number of parts per millisecond.
const PARTS: u64 = 1_000;

/// A bucket that is full when it is first used.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    parts: u64,
    filled: Option<Timestamp>,
}

impl Bucket {
    /// Lets time pass: `per_second` tokens a second flow in, up to `capacity` tokens. Says whether
    /// there is a whole token then.
    pub fn fill(&mut self, now: Timestamp, per_second: u32, capacity: u32) -> bool {
        let full = u64::from(capacity) * PARTS;
        self.parts = match self.filled {
            None => full,
            // `since` is zero when the clock was set back; the bucket then fills from the new time on.
            Some(filled) => {
                let millis = u64::try_from(now.since(filled).as_millis()).unwrap_or(u64::MAX);
                self.parts
                    .saturating_add(millis.saturating_mul(u64::from(per_second)))
                    .min(full)
            }
        };
        self.filled = Some(now);
        self.parts >= PARTS
    }

    /// Takes one token, which [`Bucket::fill`] has just said is there.
    ///
    /// # Panics
    /// If it is not.
    pub fn take(&mut self) {
        assert!(
            self.parts >= PARTS,
            "a token is taken only where one was seen"
        );
        self.parts -= PARTS;
    }

    /// Whether it is as one that was never used, once a rate and capacity are those of the last
    /// [`Bucket::fill`]: then it need not be remembered.
    pub fn is_full(&mut self, now: Timestamp, per_second: u32, capacity: u32) -> bool {
        self.fill(now, per_second, capacity);
        self.parts == u64::from(capacity) * PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(bucket: &mut Bucket, millis: u64, per_second: u32, capacity: u32) -> u32 {
        let mut taken = 0;
        while bucket.fill(Timestamp::from_millis(millis), per_second, capacity) {
            bucket.take();
            taken += 1;
        }
        taken
    }

    #[test]
    fn it_begins_full_fills_with_time_and_never_overflows() {
        let mut bucket = Bucket::default();
        assert_eq!(drain(&mut bucket, 0, 100, 50), 50);
        assert_eq!(drain(&mut bucket, 9, 100, 50), 0);
        assert_eq!(drain(&mut bucket, 10, 100, 50), 1);
        assert_eq!(drain(&mut bucket, 60_000, 100, 50), 50);
    }

    #[test]
    fn a_clock_set_back_does_not_stop_it() {
        let mut bucket = Bucket::default();
        drain(&mut bucket, 1_000_000, 100, 50);
        assert_eq!(drain(&mut bucket, 0, 100, 50), 0);
        assert_eq!(drain(&mut bucket, 100, 100, 50), 10);
    }

    #[test]
    fn one_of_no_capacity_never_gives() {
        assert_eq!(drain(&mut Bucket::default(), 99_999, 10, 0), 0);
    }
}
