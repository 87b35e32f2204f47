//! Several callees: which calls go on to the next, and which never do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use api::counting::{Acquire, Counting, Error, Permit};
use api::worker::{self, Body, Worker};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use types::{PermitId, Scope};

use super::calls::{Echo, acquire, invoke};
use super::*;
use crate::{Far, Lines};

/// Grants all, and counts what it has granted.
#[derive(Default)]
struct Counted(AtomicUsize);

#[async_trait]
impl Counting for Counted {
    async fn acquire(&self, request: Acquire) -> Result<Permit, Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        // Some are under way whenever the process is told to stop.
        tokio::task::yield_now().await;
        Ok(Permit {
            id: request.permit,
            provisioned: false,
        })
    }

    async fn release(&self, _: Scope, _: Vec<PermitId>) -> Result<(), Error> {
        Ok(())
    }
}

/// These, in this order.
struct Fixed(Vec<Line>);

impl Lines for Fixed {
    fn lines(&self) -> Vec<Line> {
        self.0.clone()
    }
}

async fn counting(authority: &Authority, counted: &Arc<Counted>) -> Server {
    let mut served = Served::default();
    served.counting(counted.clone());
    Server::start(served, authority.certify(&[Role::Counting])).await
}

/// An address at which nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn without_a_line_nothing_was_received() {
    let worker: Far<dyn Worker> = Far::new(Fixed(Vec::new()));
    let lost = worker.invoke(invoke(Bytes::new(), None)).await;
    assert_eq!(lost.unwrap_err(), worker::Error::Unavailable);
}

#[tokio::test]
async fn a_callee_that_is_not_there_or_refuses_is_passed_over() {
    let authority = Authority::new();
    let own = authority.certify(&[Role::Frontend]);
    // One that does not serve counting, one that is no counting at all, and one of another cluster.
    let idle = Server::start(Served::default(), authority.certify(&[Role::Counting])).await;
    let worker = Server::start(everything(), authority.certify(&[Role::Worker])).await;
    let other = Server::start(everything(), Authority::new().certify(&[Role::Counting])).await;
    let counted = Arc::default();
    let good = counting(&authority, &counted).await;
    let mut lines = vec![Line::new(Role::Counting, nobody().await, &own)];
    lines.extend([&idle, &worker, &other, &good].map(|server| server.line(Role::Counting, &own)));
    let counting: Far<dyn Counting> = Far::new(Fixed(lines));
    for called in 1..=3 {
        counting.acquire(acquire(None)).await.unwrap();
        assert_eq!(counted.0.load(Ordering::SeqCst), called);
    }
}

#[tokio::test]
async fn a_callee_that_does_not_accept_is_given_up_while_there_is_time_for_another() {
    let authority = Authority::new();
    let own = authority.certify(&[Role::Frontend]);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let counted = Arc::default();
    let good = counting(&authority, &counted).await;
    let line = Line::new(Role::Counting, silent.local_addr().unwrap(), &own);
    let lines = vec![line.clone(), good.line(Role::Counting, &own)];
    let counting: Far<dyn Counting> = Far::new(Fixed(lines));
    counting.acquire(acquire(None)).await.unwrap();
    assert!(line.is_doubted());
}

#[tokio::test]
async fn a_call_that_was_perhaps_received_is_not_made_again() {
    let authority = Authority::new();
    let own = authority.certify(&[Role::Frontend]);
    let echo: [Arc<Echo>; 2] = Default::default();
    let mut lines = Vec::new();
    let mut processes = Vec::new();
    for echo in &echo {
        let mut served = Served::default();
        served.worker(echo.clone());
        // Threads of its own, which end with all its connections as a process does.
        let process = tokio::runtime::Runtime::new().unwrap();
        let start = Server::start(served, authority.certify(&[Role::Worker]));
        let server = process.spawn(start).await.unwrap();
        lines.push(server.line(Role::Worker, &own));
        processes.push(process);
    }
    let far: Far<dyn Worker> = Far::new(Fixed(lines));
    let running = tokio::spawn(async move { far.invoke(invoke(Bytes::new(), Some(0))).await });
    while echo[0].begun.load(Ordering::SeqCst) == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    processes.remove(0).shutdown_background();
    let lost = timeout(Duration::from_secs(10), running).await;
    assert_eq!(lost.unwrap().unwrap().unwrap_err(), worker::Error::Internal);
    assert_eq!(echo[1].begun.load(Ordering::SeqCst), 0);
    processes.remove(0).shutdown_background();
}

#[tokio::test]
async fn an_invoke_goes_to_the_next_worker_if_the_first_is_not_there() {
    let authority = Authority::new();
    let own = authority.certify(&[Role::Frontend]);
    let echo = Arc::new(Echo::default());
    let mut served = Served::default();
    served.worker(echo);
    let server = Server::start(served, authority.certify(&[Role::Worker])).await;
    let gone = Line::new(Role::Worker, nobody().await, &own);
    let far: Far<dyn Worker> = Far::new(Fixed(vec![gone, server.line(Role::Worker, &own)]));
    let payload = Bytes::from_static(b"{}");
    let response = far.invoke(invoke(payload.clone(), None)).await.unwrap();
    assert!(matches!(response.body, Body::Full(body) if body == payload));
}

#[tokio::test]
async fn no_call_is_lost_or_made_twice_while_callees_stop() {
    let authority = Authority::new();
    let own = authority.certify(&[Role::Frontend]);
    let counted = Arc::<Counted>::default();
    let stays = counting(&authority, &counted).await;
    let mut stops = counting(&authority, &counted).await;
    let lines = Fixed(vec![
        stops.line(Role::Counting, &own),
        stays.line(Role::Counting, &own),
    ]);
    let far: Arc<dyn Counting> = Arc::new(Far::<dyn Counting>::new(lines));
    let enough = Arc::new(AtomicBool::new(false));
    let callers = (0..8).map(|_| {
        let (far, enough) = (Arc::clone(&far), Arc::clone(&enough));
        tokio::spawn(async move {
            let mut calls = 0;
            while !enough.load(Ordering::SeqCst) {
                far.acquire(acquire(None)).await.unwrap();
                calls += 1;
            }
            calls
        })
    });
    let callers: Vec<_> = callers.collect();
    for _ in 0..10 {
        let (address, before) = (stops.address, counted.0.load(Ordering::SeqCst));
        while counted.0.load(Ordering::SeqCst) < before + 50 {
            sleep(Duration::from_millis(1)).await;
        }
        stops.stop().await;
        let mut served = Served::default();
        served.counting(counted.clone());
        stops = Server::start_at(address, served, authority.certify(&[Role::Counting])).await;
    }
    enough.store(true, Ordering::SeqCst);
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.unwrap();
    }
    assert_eq!(counted.0.load(Ordering::SeqCst), calls);
}
