//! Work that one process of a cluster does at a time: begun where its lease is held, stopped where it is lost.
//!
//! What must not be done twice is fenced where it is done: for the moment in which a stuck holder wakes up, two may
//! work. What singletons spare is that everybody does everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _, join, join_all};
use storage::Table;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::member::{Held, Member};

/// See the module.
#[derive(Default)]
pub struct Singletons(Vec<Singleton>);

struct Singleton {
    name: String,
    begin: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Singletons {
    /// Adds a work. `begin` begins it each time its lease is had; dropping what it makes stops it.
    #[must_use]
    pub fn with<F>(mut self, name: &str, begin: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.push(Singleton {
            name: name.to_owned(),
            begin: Box::new(move || begin().boxed()),
        });
        self
    }

    /// Does what it holds the leases of, until `stop`. Every process of the group must have the same works.
    pub async fn run(self, config: Config, table: Arc<dyn Table>, stop: CancellationToken) {
        let works: BTreeSet<String> = self.0.iter().map(|work| work.name.clone()).collect();
        let (_wanted, all) = watch::channel(works);
        let (member, held) = Member::new(config, table, all);
        let working = join_all(self.0.iter().map(|work| work.run(held.clone())));
        drop(held);
        // The works end when the member has ended.
        join(member.run(stop), working).await;
    }
}

impl Singleton {
    async fn run(&self, mut held: Held) {
        while held
            .wait_for(|held| held.contains(&self.name))
            .await
            .is_ok()
        {
            tracing::debug!(work = self.name, "this process has the lease of a work");
            let mut lost = held.clone();
            tokio::select! {
                biased;
                _ = lost.wait_for(|held| !held.contains(&self.name)) => {}
                () = (self.begin)() => return,
            }
        }
    }
}
