//! Where an environment's extensions subscribe to its telemetry.

use std::sync::{Arc, Weak};

use environment::{Subscription, Telemetry};

use crate::environment::Environment;
use crate::telemetry::deliver;

/// Weak: the conversation must not keep its environment.
struct Subscriptions(Weak<Environment>);

impl Telemetry for Subscriptions {
    fn expect(&self) {
        if let Some(environment) = self.0.upgrade() {
            environment.log.telemetry().expect();
        }
    }

    fn subscribe(&self, extension: &str, subscription: Subscription) {
        // An environment that is gone has nothing to tell.
        let Some(environment) = self.0.upgrade() else {
            return;
        };
        let hub = Arc::clone(environment.log.telemetry());
        let subscriber = hub.subscribe(extension, subscription);
        environment.log.platform([subscriber.subscribed()]);
        let mut ended = environment.ended.subscribe();
        let work = deliver(
            subscriber,
            hub,
            (Arc::clone(&environment.sandbox), environment.lines.clone()),
            Arc::clone(&environment.clock),
        );
        environment.tasks.spawn(async move {
            tokio::select! {
                biased;
                _ = ended.wait_for(|ended| *ended) => {}
                () = work => {}
            }
        });
    }
}

impl Environment {
    /// Takes subscriptions from here on.
    pub(crate) fn take_subscriptions(self: &Arc<Self>) {
        let subscriptions = Subscriptions(Arc::downgrade(self));
        self.session.deliver_telemetry(Arc::new(subscriptions));
    }
}
