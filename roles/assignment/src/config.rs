//! Assignment's settings.

use std::time::Duration;

use types::limits::PROVISIONED_PER_SECOND;

/// Settings of the assignment role.
#[derive(Clone, Debug)]
pub struct Config {
    /// Into how many partitions functions are spread. Each has its own lock, journal and leader.
    /// Changing it over a journal that is in use makes the environments of moved functions be
    /// recycled. Default: 8, twice the processors of a small machine.
    pub partitions: u32,
    /// An environment idle for longer is shut down. Default: 10 minutes.
    pub idle_timeout: Duration,
    /// Besides the function's timeout, how long before its lease's end an environment takes no new
    /// invoke: time for the way there and for the shutdown phase. Default: a minute.
    pub lease_margin: Duration,
    /// How many environments are created at once; more wait their turn. Each is a process start
    /// and an unpacked image somewhere; a worker is not helped by more. Default: 1 000.
    pub creations_max: usize,
    /// How many environments a second are begun for the provisioned concurrency of one function
    /// version; as many may be at once. Default: 100, Lambda's 6 000 a minute.
    pub provisioned_per_second: u32,
    /// How long a new environment waits for its record to be durable before it is given up. An
    /// election of the journal's own takes 4 to 9 s. Default: 15 s.
    pub append_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            partitions: 8,
            idle_timeout: Duration::from_secs(600),
            lease_margin: Duration::from_secs(60),
            creations_max: 1_000,
            provisioned_per_second: PROVISIONED_PER_SECOND,
            append_timeout: Duration::from_secs(15),
        }
    }
}
