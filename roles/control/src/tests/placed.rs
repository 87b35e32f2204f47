//! The workers that tests have.

use api::placement::{Error, Heartbeat, Place, Placed, Placement, WorkerView};
use async_trait::async_trait;
use types::{SystemRandom, WorkerId};

/// One worker on the host `h1`, and one that has long been silent on `h2`.
pub(super) struct Workers;

#[async_trait]
impl Placement for Workers {
    async fn place(&self, _: Place) -> Result<Placed, Error> {
        Err(Error::Unavailable)
    }

    async fn heartbeat(&self, _: Heartbeat) -> Result<(), Error> {
        Err(Error::Unavailable)
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, Error> {
        let view = |host: &str, silent_ms| WorkerView {
            last: Heartbeat {
                worker: WorkerId::random(&SystemRandom),
                host: host.to_owned(),
                zone: "a".to_owned(),
                version: "1".to_owned(),
                memory_mb: 1_000,
                committed_mb: 300,
                used_mb: 100,
                draining: false,
                idle: 2,
                busy: 1,
            },
            silent_ms,
            silent: silent_ms > 5_000,
        };
        Ok(vec![view("h1", 200), view("h2", 60_000)])
    }
}
