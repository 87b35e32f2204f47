//! Errors, bounds and ends, on a paused clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::*;

fn fails() -> io::Result<u32> {
    // EMFILE: no descriptor is left.
    Err(io::Error::from_raw_os_error(24))
}

#[tokio::test(start_paused = true)]
async fn after_an_error_the_next_is_tried_later() {
    let began = Instant::now();
    let listener = stream::iter([Ok(1), fails(), fails(), Ok(2)]);
    let mut accepting = Accepting::new(listener, "a test's connection");
    assert_eq!(accepting.next().await, Some(1));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(accepting.next().await, Some(2));
    assert!(began.elapsed() >= 2 * PAUSE, "{:?}", began.elapsed());
    assert_eq!(accepting.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_in_the_middle_of_a_pause_loses_nothing() {
    let listener = stream::iter([fails(), Ok(1)]);
    let mut accepting = Accepting::new(listener, "a test's connection");
    let early = timeout(PAUSE / 2, accepting.next()).await;
    assert!(early.is_err());
    assert_eq!(accepting.next().await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn so_many_are_served_at_a_time_and_an_error_holds_up_none_of_them() {
    let ends = Arc::new(Semaphore::new(0));
    let (begun, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let listener = stream::iter([Ok(1), Ok(2), Ok(3), fails(), Ok(4)]);
    let accepting = Accepting::new(listener, "a test's connection");
    let served = serve(
        accepting,
        2,
        || std::future::ready(()),
        |_, ()| {
            let (ends, begun, done) = (Arc::clone(&ends), Arc::clone(&begun), Arc::clone(&done));
            async move {
                begun.fetch_add(1, Ordering::Relaxed);
                ends.acquire().await.unwrap().forget();
                done.fetch_add(1, Ordering::Relaxed);
            }
        },
    );
    let mut served = std::pin::pin!(served);
    let counts = || (begun.load(Ordering::Relaxed), done.load(Ordering::Relaxed));
    let _ = timeout(PAUSE / 4, served.as_mut()).await;
    assert_eq!(counts(), (2, 0));
    ends.add_permits(2);
    let _ = timeout(PAUSE / 4, served.as_mut()).await;
    assert_eq!(counts(), (3, 2));
    ends.add_permits(1);
    let _ = timeout(PAUSE / 4, served.as_mut()).await;
    assert_eq!(counts(), (3, 3));
    let _ = timeout(PAUSE, served.as_mut()).await;
    assert_eq!(counts(), (4, 3));
}

#[tokio::test]
async fn a_port_is_accepted_from() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut accepting = Accepting::tcp(listener, "a test's connection");
    let ours = TcpStream::connect(address).await.unwrap();
    let (_, peer) = accepting.next().await.unwrap();
    assert_eq!(peer, ours.local_addr().unwrap());
}
