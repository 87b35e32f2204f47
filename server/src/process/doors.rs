//! Where clients and functions are answered: bound early, so that a mistake is reported at once, and open when requests
//! can be answered.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::inside;
use crate::config::Config;
use crate::front_door::{self, Bound, Bounds, Ending, Entry, FrontDoor, Side, Ways};

/// Addresses at which nobody is answered yet.
pub(super) struct Doors {
    api: Bound,
    events: Option<Bound>,
    inside: Option<Bound>,
}

impl Doors {
    /// Binds them. Functions have one of their own if they run here and may call the API.
    pub(super) async fn bind(config: &Config, functions_are_here: bool) -> anyhow::Result<Self> {
        let api = front_door::bind(&config.listen).await.context("listen")?;
        let events = match config.events.listen.as_str() {
            "" => None,
            listen => Some(front_door::bind(listen).await.context("events.listen")?),
        };
        let inside = match functions_are_here && config.functions.api {
            true => Some(front_door::bind(inside::OWN).await?),
            false => None,
        };
        Ok(Self {
            api,
            events,
            inside,
        })
    }

    /// Where clients are answered.
    pub(super) fn address(&self) -> SocketAddr {
        self.api.address()
    }

    /// Where functions are.
    pub(super) fn inside(&self) -> Option<SocketAddr> {
        self.inside.as_ref().map(Bound::address)
    }

    /// Answers at all of them until the end, and says where clients are answered.
    pub(super) fn open(
        self,
        (entry, ways, bounds): (Entry, Ways, Bounds),
        serving: &mut JoinSet<()>,
        ending: &Ending,
    ) -> anyhow::Result<String> {
        let (threads, scheme) = (entry.threads.clone(), ways.scheme());
        let door = Arc::new(FrontDoor::new(entry, ways, bounds));
        let serve = |listener, side| Arc::clone(&door).serve(listener, side, ending.clone());
        let (listener, address) = self.api.listen()?;
        serving.spawn(serve(listener, Side::Clients));
        if let Some(bound) = self.inside {
            let (listener, _) = bound.listen()?;
            serving.spawn(serve(listener, Side::Functions));
        }
        if let Some(bound) = self.events {
            let (listener, address) = bound.listen()?;
            tracing::info!(%address, "events are also accepted here");
            serving.spawn_on(serve(listener, Side::Clients), &threads);
        }
        Ok(format!("{scheme}://{address}"))
    }
}
