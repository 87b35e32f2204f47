//! A closed loop: so many connections, each asking again as soon as it is answered.

use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::future::try_join_all;

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
    let began = Instant::now();
    closed_loop_while(address, request, connections, || began.elapsed() < lasts).await
}

/// The same as long as `more` says so.
pub(crate) async fn closed_loop_while(
    address: &str,
    request: &[u8],
    connections: usize,
    more: impl Fn() -> bool,
) -> anyhow::Result<Figures> {
    let began = Instant::now();
    let more = &more;
    let mut loops = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(address).await?;
        let request = request.to_vec();
        loops.push(async move {
            let mut times = Vec::new();
            while more() {
                let asked = Instant::now();
                let answer = connection.ask(&request).await?;
                times.push(asked.elapsed());
                if !matches!(answer.status, 200 | 202) || answer.failed {
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
    for times in try_join_all(loops).await? {
        all.extend(times);
    }
    Ok(Figures::new(all, began.elapsed()))
}
