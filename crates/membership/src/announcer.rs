//! A member without access to the table: says to a keeper that it lives, and is told who else does.

use std::sync::{Arc, Mutex};

use api::membership::{Member, Membership, State, View};
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::Views;
use crate::ledger::BEAT;

/// See the module. Works while [`Announcer::run`] does.
pub struct Announcer {
    keeper: Arc<dyn Membership>,
    own: Mutex<Member>,
    views: watch::Sender<Arc<View>>,
    changed: Notify,
}

impl Announcer {
    /// An announcer in a process that is `own`, and `keeper`, which is whichever one can be reached.
    pub fn new(
        keeper: Arc<dyn Membership>,
        own: Member,
        views: watch::Sender<Arc<View>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            keeper,
            own: Mutex::new(own),
            views,
            changed: Notify::new(),
        })
    }

    /// Who is alive. Empty until a keeper has answered.
    pub fn views(&self) -> Views {
        self.views.subscribe()
    }

    /// From now on this process is in this state; it is said now.
    pub fn set_state(&self, state: State) {
        self.own
            .lock()
            .expect("nothing panics while it holds this")
            .state = state;
        self.changed.notify_one();
    }

    /// Works until `stop`, then says that this process ends.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = beat.tick() => self.say().await,
                () = self.changed.notified() => self.say().await,
            }
        }
        let process = self.member().process;
        if let Err(error) = self.keeper.leave(process).await {
            tracing::warn!(%error, "this process is not struck out until it is found to be silent");
        }
    }

    async fn say(&self) {
        match self.keeper.announce(self.member()).await {
            Ok(view) => {
                self.views.send_if_modified(|shown| {
                    let changed = **shown != *view;
                    if changed {
                        *shown = view;
                    }
                    changed
                });
            }
            // At the start of a cluster the keepers may come later.
            Err(error) if self.views.borrow().members.is_empty() => {
                tracing::info!(%error, "this process waits for a keeper of the members");
            }
            Err(error) => tracing::warn!(%error, "this process cannot say that it lives"),
        }
    }

    fn member(&self) -> Member {
        self.own
            .lock()
            .expect("nothing panics while it holds this")
            .clone()
    }
}
