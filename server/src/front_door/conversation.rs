//! One connection, as its parts share it: who is there, whether a request is being answered, and
//! how to break it off.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use tokio::sync::Notify;

/// A connection.
pub(super) struct Conversation {
    /// Whose share it is of.
    pub(super) party: IpAddr,
    /// Whether that is a balancer, which speaks for many.
    pub(super) for_many: bool,
    began: Instant,
    /// A request's head is here and its answer is not gone yet.
    answering: AtomicBool,
    /// Milliseconds after `began` from which on nothing is being answered.
    idle_since: AtomicU64,
    /// Requests that have begun.
    requests: AtomicU32,
    /// The head that is read has a line that ends with LF alone.
    bare: AtomicBool,
    cut: Notify,
}

impl Conversation {
    pub(super) fn new(peer: IpAddr) -> Arc<Self> {
        Self::with(peer, false)
    }

    /// With a balancer.
    pub(super) fn for_many(balancer: IpAddr) -> Arc<Self> {
        Self::with(balancer, true)
    }

    fn with(peer: IpAddr, for_many: bool) -> Arc<Self> {
        Arc::new(Self {
            party: party(peer),
            for_many,
            began: Instant::now(),
            answering: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            bare: AtomicBool::new(false),
            cut: Notify::new(),
        })
    }

    /// A request has come; it is being answered until the guard is dropped.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.requests.fetch_add(1, Relaxed);
        self.answering.store(true, Relaxed);
        Answering(Arc::clone(self))
    }

    pub(super) fn is_answering(&self) -> bool {
        self.answering.load(Relaxed)
    }

    /// Since when nothing is being answered; `None` if something is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let since = self.idle_since.load(Relaxed);
        (!self.is_answering()).then(|| self.began + std::time::Duration::from_millis(since))
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// The head has a bare line feed.
    pub(super) fn mark_bare(&self) {
        self.bare.store(true, Relaxed);
    }

    /// Whether the head that came last had one.
    pub(super) fn is_bare(&self) -> bool {
        self.bare.load(Relaxed)
    }

    /// Has the connection closed.
    pub(super) fn cut(&self) {
        self.cut.notify_one();
    }

    /// Returns when it is to be closed.
    pub(super) async fn is_cut(&self) {
        self.cut.notified().await;
    }
}

/// While it is there, a request is being answered.
pub(super) struct Answering(Arc<Conversation>);

impl Drop for Answering {
    fn drop(&mut self) {
        let conversation = &self.0;
        let now = conversation.began.elapsed().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        conversation.idle_since.store(now, Relaxed);
        conversation.answering.store(false, Relaxed);
    }
}

/// Who counts as one: an address, or the network of 64 bits that a host of IPv6 has to itself.
pub(super) fn party(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & (!0 << 64);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_party_and_an_address_of_ipv4_another() {
        let same = |a: &str, b: &str| party(a.parse().unwrap()) == party(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn a_connection_is_idle_until_a_request_comes_and_when_its_answer_is_gone() {
        let conversation = Conversation::new([127, 0, 0, 1].into());
        assert!(conversation.idle_since().is_some());
        let answering = conversation.answering();
        assert!(conversation.idle_since().is_none());
        drop(answering);
        assert!(conversation.idle_since().is_some());
        assert_eq!(conversation.requests(), 1);
    }
}
