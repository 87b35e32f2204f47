//! The use of a lease's number: reports that come late, twice, or from a former leader.

use api::assignment::{Assignment, Error, Event, Lease, Lend};

use super::parts::{World, function, worker};
use super::serving::{assign, is_idle};
use crate::Counts;

#[tokio::test]
async fn what_is_idle_is_lent_at_once_and_nothing_is_made_for_who_only_asks_for_that() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let lend = || Lend {
        function: function("f", 1),
        zone: None,
    };
    assert_eq!(service.lend(lend()).await, Ok(None));
    assert_eq!(service.counts(), Counts::default());
    let first = assign(&service).await.unwrap();
    assert_eq!(service.lend(lend()).await, Ok(None));
    service
        .report(None, is_idle(first.environment))
        .await
        .unwrap();
    let second = service.lend(lend()).await.unwrap().unwrap();
    assert_eq!(second.environment, first.environment);
    assert!(!second.cold && second.number > first.number);
    assert_eq!(service.counts().busy, 1);
}

#[tokio::test]
async fn a_late_word_does_not_take_an_environment_from_its_next_borrower() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let first = assign(&service).await.unwrap();
    let over = |lease: &Lease| {
        let seen = lease.number;
        let mut said = is_idle(lease.environment);
        said[0].event = Event::Idle { seen };
        said
    };
    service.report(None, over(&first)).await.unwrap();
    let second = assign(&service).await.unwrap();
    assert_eq!(second.environment, first.environment);
    // Said again, since its answer was lost; and given back by a caller that never used it.
    service.report(None, over(&first)).await.unwrap();
    service
        .give_back(first.clone(), function("f", 1))
        .await
        .unwrap();
    assert_eq!(service.counts().busy, 1);
    service
        .give_back(second.clone(), function("f", 1))
        .await
        .unwrap();
    assert_eq!(service.counts().idle, 1);
    // A leader's leases are newer than those of the one before it.
    let third = assign(&world.start().await.unwrap()).await.unwrap();
    assert!(third.number > second.number, "{third:?} {second:?}");
}

#[tokio::test]
async fn who_does_not_lead_says_that_it_heard_nothing() {
    let world = World::new();
    let first = world.start().await.unwrap();
    let lease = assign(&first).await.unwrap();
    let second = world.start().await.unwrap();
    // Its next record is refused.
    assert_eq!(assign(&first).await, Err(Error::Unavailable));
    let heard = first.report(None, is_idle(lease.environment)).await;
    assert_eq!(heard, Err(Error::Unavailable));
    let heard = first.give_back(lease.clone(), function("f", 1)).await;
    assert_eq!(heard, Err(Error::Unavailable));
    second
        .report(None, is_idle(lease.environment))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_worker_has_no_say_about_another_ones_environments() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let lease = assign(&service).await.unwrap();
    assert_eq!(lease.worker, worker(1));
    let gone = || {
        let mut said = is_idle(lease.environment);
        said[0].event = Event::Gone;
        said
    };
    for said in [is_idle(lease.environment), gone()] {
        assert_eq!(service.report(Some(worker(2)), said).await, Ok(()));
        assert_eq!(service.counts().busy, 1);
    }
    let own = service.report(Some(worker(1)), gone()).await;
    assert_eq!((own, service.counts().busy), (Ok(()), 0));
}
