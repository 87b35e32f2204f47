//! Which requests are cut off for which.

use super::*;

const KB: usize = 1024;

/// A budget of 100 KB.
fn budget() -> Arc<Intake> {
    Intake::new(100 * KB as u64)
}

fn come(intake: &Arc<Intake>, last: u8, account: Option<&str>, verified: bool) -> Holding {
    let conversation = Conversation::new([192, 0, 2, last].into());
    let whose = Whose {
        party: conversation.party,
        account: account.map(Arc::from),
        verified,
    };
    intake.open(Part::Body, whose, &conversation)
}

/// Whether it has not been cut: it can still take nothing more.
fn is_there(holding: &Holding) -> bool {
    holding.try_grow(0).is_ok()
}

/// Makes it look as if it had been sending for that long.
fn age(holding: &Holding, time: Duration) {
    let mut held = holding.intake.lock();
    let holder = held.holders.get_mut(&holding.number).unwrap();
    holder.since = holder.since.checked_sub(time).unwrap();
}

#[test]
fn one_alone_may_use_all_and_not_more() {
    let intake = budget();
    let first = come(&intake, 1, None, false);
    assert_eq!(first.try_grow(100 * KB), Ok(()));
    assert_eq!(first.try_grow(1), Err(Full));
    drop(first);
    assert_eq!(come(&intake, 1, None, false).try_grow(100 * KB), Ok(()));
}

#[test]
fn the_address_that_holds_most_gives_way_and_of_it_the_slowest() {
    let intake = budget();
    let many: Vec<Holding> = (0..9).map(|_| come(&intake, 1, None, false)).collect();
    for (place, holding) in many.iter().enumerate() {
        holding.try_grow(10 * KB).unwrap();
        age(
            holding,
            Duration::from_millis(if place == 4 { 60 } else { 30 }),
        );
    }
    let other = come(&intake, 2, None, false);
    assert_eq!(other.try_grow(20 * KB), Ok(()));
    for (place, holding) in many.iter().enumerate() {
        assert_eq!(is_there(holding), place != 4, "{place}");
    }
    // Until both have as much.
    assert_eq!(other.try_grow(25 * KB), Ok(()));
    assert_eq!(other.try_grow(20 * KB), Err(Full));
    assert!(is_there(&other));
    // Nor does the first get it back.
    assert_eq!(come(&intake, 1, None, false).try_grow(30 * KB), Err(Full));
}

#[test]
fn of_one_address_the_account_that_holds_most_gives_way() {
    let intake = budget();
    let (a, b) = (
        come(&intake, 1, Some("a"), false),
        come(&intake, 1, Some("b"), false),
    );
    a.try_grow(20 * KB).unwrap();
    b.try_grow(70 * KB).unwrap();
    assert_eq!(come(&intake, 2, None, false).try_grow(20 * KB), Ok(()));
    assert!(is_there(&a) && !is_there(&b));
}

#[test]
fn the_slow_give_way_to_everybody() {
    let intake = budget();
    let slow = come(&intake, 1, Some("a"), true);
    slow.try_grow(50 * KB).unwrap();
    age(&slow, Duration::from_secs(6));
    let other = come(&intake, 1, Some("a"), false);
    other.try_grow(50 * KB).unwrap();
    assert_eq!(other.try_grow(10 * KB), Ok(()));
    assert!(!is_there(&slow));
}

#[test]
fn who_has_not_signed_gives_way_to_who_has_and_has_less_than_half() {
    let intake = budget();
    let stranger = come(&intake, 1, None, false);
    stranger.try_grow(20 * KB).unwrap();
    let known = come(&intake, 2, Some("a"), true);
    known.try_grow(40 * KB).unwrap();
    let third = come(&intake, 3, Some("b"), true);
    third.try_grow(40 * KB).unwrap();
    assert_eq!(known.try_grow(20 * KB), Err(Full));
    assert!(is_there(&stranger));
    assert_eq!(known.try_grow(10 * KB), Ok(()));
    assert!(!is_there(&stranger));
}

#[test]
fn what_has_come_whole_is_not_cut_and_one_account_has_half_of_it_at_most() {
    let intake = budget();
    let mut whole = Vec::new();
    for _ in 0..2 {
        let holding = come(&intake, 1, Some("a"), true);
        holding.try_grow(25 * KB).unwrap();
        assert_eq!(holding.try_whole(), Ok(()));
        age(&holding, Duration::from_secs(100));
        whole.push(holding);
    }
    let third = come(&intake, 2, Some("a"), true);
    third.try_grow(25 * KB).unwrap();
    assert_eq!(third.try_whole(), Err(Full));
    drop(third);
    let other = come(&intake, 3, Some("b"), true);
    other.try_grow(50 * KB).unwrap();
    assert_eq!(other.try_grow(KB), Err(Full));
    assert!(whole.iter().all(is_there));
    assert_eq!(other.try_whole(), Ok(()));
    // One that is larger than half is let through alone.
    let intake = budget();
    let large = come(&intake, 1, Some("a"), true);
    large.try_grow(90 * KB).unwrap();
    assert_eq!(large.try_whole(), Ok(()));
}

#[test]
fn sums_are_right_when_all_have_gone() {
    let intake = budget();
    let holdings: Vec<_> = (0..20)
        .map(|n| come(&intake, n, Some("a"), n % 2 == 0))
        .collect();
    for holding in &holdings {
        let _ = holding.try_grow(11 * KB);
    }
    drop(holdings);
    let held = intake.lock();
    assert_eq!((held.bytes, held.waiting), (0, 0));
    assert!(held.holders.is_empty() && held.by_party.is_empty() && held.by_account.is_empty());
}

#[tokio::test(start_paused = true)]
async fn room_is_waited_for_and_not_for_ever() {
    let intake = budget();
    let first = come(&intake, 1, None, false);
    first.try_grow(100 * KB).unwrap();
    first.try_whole().unwrap();
    let second = come(&intake, 2, None, false);
    assert_eq!(second.grow(10 * KB).await, Err(Full));
    let (grown, ()) = tokio::join!(second.grow(10 * KB), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(first);
    });
    assert_eq!(grown, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_has_come_waits_until_its_account_has_less_that_waits() {
    let intake = budget();
    let first = come(&intake, 1, Some("a"), true);
    first.try_grow(40 * KB).unwrap();
    first.try_whole().unwrap();
    let second = come(&intake, 1, Some("a"), true);
    second.try_grow(20 * KB).unwrap();
    assert_eq!(second.whole().await, Err(Full));
    let (come, ()) = tokio::join!(second.whole(), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(first);
    });
    assert_eq!(come, Ok(()));
}
