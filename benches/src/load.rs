//! Load: a closed loop, in which each connection asks again as soon as it is answered, and a paced one.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::http::{BlockingConnection, Connection};

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
                answer.succeeded()?;
            }
            anyhow::Ok(times)
        });
    }
    let mut all = Vec::new();
    for times in try_join_all(loops).await? {
        all.extend(times);
    }
    Ok(Figures::new(all, began.elapsed()))
}

/// Asks `request` over `connections`, a thread each, `rate` times a second in all. A time is counted
/// from when a request was due: one that had to wait for the answer before it is not spared that.
/// The first second is not counted.
pub(crate) fn paced(
    address: &str,
    request: &[u8],
    (connections, rate): (usize, f64),
    lasts: Duration,
) -> anyhow::Result<Figures> {
    let open: anyhow::Result<Vec<_>> = (0..connections)
        .map(|_| BlockingConnection::open(address))
        .collect();
    let began = Instant::now();
    let counted = began + Duration::from_secs(1);
    let pause = Duration::from_secs_f64(connections as f64 / rate);
    #[expect(
        clippy::disallowed_methods,
        reason = "it waits for nothing but the time"
    )]
    let client = |mut connection: BlockingConnection, mut due: Instant| {
        let mut times = Vec::new();
        while counted.elapsed() < lasts {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            connection.ask(request)?.succeeded()?;
            if due >= counted {
                times.push(due.elapsed());
            }
            due += pause;
        }
        anyhow::Ok(times)
    };
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0_u32..)
            .zip(open?)
            .map(|(number, connection)| {
                let due = began + pause * number / connections as u32;
                scope.spawn(move || client(connection, due))
            })
            .collect();
        for thread in threads {
            match thread.join() {
                Ok(times) => all.extend(times?),
                Err(_) => anyhow::bail!("a client has panicked"),
            }
        }
        anyhow::Ok(())
    })?;
    Ok(Figures::new(all, counted.elapsed()))
}
