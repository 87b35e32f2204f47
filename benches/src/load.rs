//! A closed loop: so many connections, each asking again as soon as it is answered.

use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::task::JoinSet;

use crate::http::Connection;

/// What a loop measured.
pub(crate) struct Figures {
    /// Every request's time, sorted.
    times: Vec<Duration>,
    pub(crate) took: Duration,
}

impl Figures {
    pub(crate) fn new(mut times: Vec<Duration>, took: Duration) -> Self {
        times.sort_unstable();
        Self { times, took }
    }

    /// Milliseconds below which a fraction of the requests stayed.
    pub(crate) fn ms(&self, fraction: f64) -> f64 {
        let at = (self.times.len() as f64 * fraction) as usize;
        let time = self.times.get(at.min(self.times.len().saturating_sub(1)));
        time.copied().unwrap_or_default().as_secs_f64() * 1000.0
    }

    pub(crate) fn rate(&self) -> f64 {
        self.count() as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn count(&self) -> usize {
        self.times.len()
    }
}

/// Asks `request` over `connections` at once for a while. Every answer must be a success.
pub(crate) async fn closed_loop(
    address: &str,
    request: &[u8],
    connections: usize,
    lasts: Duration,
) -> anyhow::Result<Figures> {
    let mut loops = JoinSet::new();
    let began = Instant::now();
    for _ in 0..connections {
        let mut connection = Connection::open(address).await?;
        let request = request.to_vec();
        loops.spawn(async move {
            let mut times = Vec::new();
            while began.elapsed() < lasts {
                let asked = Instant::now();
                let answer = connection.ask(&request).await?;
                times.push(asked.elapsed());
                if answer.status != 200 || answer.failed {
                    bail!(
                        "{}: {}",
                        answer.status,
                        String::from_utf8_lossy(&answer.body)
                    );
                }
            }
            Ok(times)
        });
    }
    let mut all = Vec::new();
    while let Some(times) = loops.join_next().await {
        all.extend(times??);
    }
    Ok(Figures::new(all, began.elapsed()))
}
