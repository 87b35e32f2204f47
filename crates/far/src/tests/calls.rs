//! What goes there and back, and what a caller learns when it does not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::assignment::LeaseNumber;
use api::counting::{self, Acquire, Counting, Permit};
use api::logs::{self, RecentLogs};
use api::worker::{Body, Create, Error, Invoke, Living, Response, Stream, StreamEvent, Worker};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::unfold;
use records::examples;
use tokio::time::{sleep, timeout};
use types::{
    EnvironmentId, FunctionName, PermitId, RequestId, Scope, SystemRandom, Timestamp, Version,
};

use super::*;
use crate::Far;

/// Answers with what it was sent; in pieces if its client context says how many; never if that is `0`.
#[derive(Default)]
pub(super) struct Echo {
    /// Pieces that were taken from it.
    taken: Arc<AtomicUsize>,
    pub(super) begun: AtomicUsize,
}

const PIECE: usize = 64 << 10;

#[async_trait]
impl Worker for Echo {
    async fn create(&self, _: Create) -> Result<(), Error> {
        Ok(())
    }

    async fn invoke(&self, request: Invoke) -> Result<Response, Error> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let pieces = request.client_context.map(|text| text.parse::<usize>());
        let body = match pieces {
            None => Body::Full(request.payload),
            Some(Ok(0)) => std::future::pending().await,
            Some(pieces) => {
                let (pieces, taken) = (pieces.unwrap(), Arc::clone(&self.taken));
                Body::Stream(Stream::new(unfold(0, move |number| {
                    let taken = Arc::clone(&taken);
                    async move {
                        taken.fetch_add(1, Ordering::SeqCst);
                        let event = match number {
                            number if number < pieces => {
                                StreamEvent::Piece(Bytes::from(vec![7; PIECE]))
                            }
                            number if number == pieces => StreamEvent::End {
                                error: None,
                                log_tail: Some(Bytes::from_static(b"log")),
                            },
                            _ => return None,
                        };
                        Some((event, number + 1))
                    }
                })))
            }
        };
        Ok(Response {
            failed: false,
            content_type: Some("text/plain".to_owned()),
            body,
            log_tail: None,
        })
    }

    async fn destroy(&self, environment: EnvironmentId) -> Result<(), Error> {
        Err(Error::NotFound { environment })
    }

    async fn environments(&self) -> Result<Vec<Living>, Error> {
        let living = Living {
            environment: EnvironmentId::random(&SystemRandom),
            function: examples::function_version("f", examples::configuration()).key(),
            busy: true,
        };
        Ok(vec![living; 1_000])
    }
}

pub(super) fn acquire(reserved: Option<u32>) -> Acquire {
    Acquire {
        permit: PermitId::random(&SystemRandom),
        scope: examples::scope(),
        function: FunctionName::new("f").unwrap(),
        version: Version::Latest,
        provisioned: 0,
        provisioned_total: 0,
        reserved,
        account_limit: 1_000,
        reserved_total: 0,
        lasts_ms: 3_000,
        returned: vec![PermitId::random(&SystemRandom)],
    }
}

pub(super) fn invoke(payload: Bytes, pieces: Option<usize>) -> Invoke {
    let function = examples::function_version("f", examples::configuration());
    Invoke {
        environment: EnvironmentId::random(&SystemRandom),
        lease: LeaseNumber::default(),
        request: RequestId::random(&SystemRandom),
        invoked_arn: function.arn(),
        payload,
        client_context: pieces.map(|pieces| pieces.to_string()),
        trace_id: "Root=1-5-a".to_owned(),
        log_tail: false,
    }
}

/// A worker, and a frontend's way to it.
async fn worker(echo: &Arc<Echo>) -> (Server, Far<dyn Worker>) {
    let authority = Authority::new();
    let mut served = Served::default();
    served.worker(echo.clone());
    let server = Server::start(served, authority.certify(&[Role::Worker])).await;
    // Both, so that one line does for all calls.
    let own = authority.certify(&[Role::Frontend, Role::Assignment]);
    let far = Far::new(server.line(Role::Worker, &own));
    (server, far)
}

#[tokio::test]
async fn answers_and_refusals_come_back_as_they_were_given() {
    let authority = Authority::new();
    let server = Server::start(everything(), authority.certify(&[Role::Counting])).await;
    let own = authority.certify(&[Role::Frontend]);
    let counting: Far<dyn Counting> = Far::new(server.line(Role::Counting, &own));
    let request = acquire(None);
    let permit = counting.acquire(request.clone()).await.unwrap();
    assert_eq!((permit.id, permit.provisioned), (request.permit, true));
    let refused = counting.acquire(acquire(Some(3))).await;
    let function = FunctionName::new("f").unwrap();
    let limit = 3;
    assert_eq!(
        refused,
        Err(counting::Error::FunctionConcurrency { function, limit })
    );
    let released = counting.release(examples::scope(), vec![permit.id]).await;
    assert_eq!(released, Ok(()));
    server.stop().await;
}

#[tokio::test]
async fn a_worker_says_what_it_has_not_stored_yet() {
    let authority = Authority::new();
    let server = Server::start(everything(), authority.certify(&[Role::Worker])).await;
    let control = authority.certify(&[Role::Control]);
    let worker: Far<dyn RecentLogs> = Far::new(server.line(Role::Worker, &control));
    let ask = async |group| {
        let since = Timestamp::from_millis(u64::MAX);
        worker.recent(&examples::scope(), group, since).await
    };
    assert!(ask("/aws/lambda/f").await.unwrap().more);
    assert_eq!(ask("other").await, Err(logs::Error::Unavailable));
}

#[tokio::test]
async fn the_largest_event_and_result_go_through() {
    let (_server, worker) = worker(&Arc::default()).await;
    let payload = Bytes::from(vec![0xff; 6 << 20]);
    let response = worker.invoke(invoke(payload.clone(), None)).await.unwrap();
    assert_eq!(response.content_type.as_deref(), Some("text/plain"));
    assert!(matches!(response.body, Body::Full(body) if body == payload));
    assert_eq!(worker.environments().await.unwrap().len(), 1_000);
    let environment = EnvironmentId::random(&SystemRandom);
    let destroyed = worker.destroy(environment).await;
    assert_eq!(destroyed, Err(Error::NotFound { environment }));
}

#[tokio::test]
async fn a_stream_goes_no_faster_than_it_is_read_and_ends_with_its_end() {
    const PIECES: usize = 400;
    let echo = Arc::new(Echo::default());
    let (_server, worker) = worker(&echo).await;
    let response = worker.invoke(invoke(Bytes::new(), Some(PIECES))).await;
    let Body::Stream(mut stream) = response.unwrap().body else {
        panic!("it comes in pieces")
    };
    assert!(matches!(stream.next().await, Some(StreamEvent::Piece(_))));
    // Until all buffers on the way are full.
    let mut before = 0;
    loop {
        sleep(Duration::from_millis(200)).await;
        let taken = echo.taken.load(Ordering::SeqCst);
        if taken == before {
            break;
        }
        before = taken;
    }
    assert!(before < PIECES / 2, "{before} pieces for a reader of one");
    for _ in 1..PIECES {
        let event = stream.next().await;
        assert!(matches!(event, Some(StreamEvent::Piece(piece)) if piece.len() == PIECE));
    }
    let log_tail = Some(Bytes::from_static(b"log"));
    let error = None;
    assert_eq!(
        stream.next().await,
        Some(StreamEvent::End { error, log_tail })
    );
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_call_that_cannot_be_received_certainly_did_nothing() {
    let (server, worker) = worker(&Arc::default()).await;
    let address = server.address;
    server.kill().await;
    let lost = worker.invoke(invoke(Bytes::new(), None)).await;
    assert_eq!(
        lost.unwrap_err(),
        Error::Unavailable,
        "nobody listens at {address}"
    );
}

#[tokio::test]
async fn of_a_call_whose_callee_dies_the_outcome_is_unknown() {
    let echo = Arc::new(Echo::default());
    let authority = Authority::new();
    let mut served = Served::default();
    served.worker(echo.clone());
    let own = authority.certify(&[Role::Worker]);
    // Threads of its own, which end with all its connections as a process does.
    let process = tokio::runtime::Runtime::new().unwrap();
    let server = process.spawn(Server::start(served, own)).await.unwrap();
    let worker: Far<dyn Worker> =
        Far::new(server.line(Role::Worker, &authority.certify(&[Role::Frontend])));
    let running = tokio::spawn(async move { worker.invoke(invoke(Bytes::new(), Some(0))).await });
    while echo.begun.load(Ordering::SeqCst) == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    process.shutdown_background();
    let lost = timeout(Duration::from_secs(10), running).await;
    assert_eq!(lost.unwrap().unwrap().unwrap_err(), Error::Internal);
}

#[tokio::test]
async fn a_line_is_made_again_when_its_callee_is_back() {
    let authority = Authority::new();
    let server = Server::start(everything(), authority.certify(&[Role::Counting])).await;
    let address = server.address;
    let own = authority.certify(&[Role::Frontend]);
    let counting: Far<dyn Counting> = Far::new(server.line(Role::Counting, &own));
    counting.acquire(acquire(None)).await.unwrap();
    server.stop().await;
    let lost = counting.acquire(acquire(None)).await;
    assert_eq!(lost, Err(counting::Error::Unavailable));
    let again = authority.certify(&[Role::Counting]);
    let _server = Server::start_at(address, everything(), again).await;
    let answered = timeout(Duration::from_secs(10), async {
        while counting.acquire(acquire(None)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    answered.await.unwrap();
}

#[tokio::test]
async fn who_gives_up_takes_the_call_back() {
    struct Noticing(Arc<AtomicUsize>);
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    #[async_trait]
    impl Counting for Noticing {
        async fn acquire(&self, _: Acquire) -> Result<Permit, counting::Error> {
            let _dropped = Dropped(Arc::clone(&self.0));
            std::future::pending().await
        }

        async fn release(&self, _: Scope, _: Vec<PermitId>) -> Result<(), counting::Error> {
            Ok(())
        }
    }
    let authority = Authority::new();
    let given_up = Arc::new(AtomicUsize::new(0));
    let mut served = Served::default();
    served.counting(Arc::new(Noticing(Arc::clone(&given_up))));
    let server = Server::start(served, authority.certify(&[Role::Counting])).await;
    let own = authority.certify(&[Role::Frontend]);
    let counting: Far<dyn Counting> = Far::new(server.line(Role::Counting, &own));
    // Its deadline, a second, has passed.
    let lost = counting.acquire(acquire(None)).await;
    assert_eq!(lost, Err(counting::Error::Unavailable));
    for _ in 0..1_000 {
        if given_up.load(Ordering::SeqCst) == 1 {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("the callee still works for a caller that has gone");
}
