//! Creates an environment: its place, its sandbox, its init; and watches over it.

use std::sync::Arc;

use api::assignment::Event;
use api::worker::{Create, Error};
use tokio::time::Instant;
use types::Inner;

use crate::environment::Environment;
use crate::remove::told;
use crate::service::Service;
use crate::slots::Slot;

/// How often an environment is made when its sandbox ends under its init: with a spawner's end all
/// end at once, so that more than one in a row is another accident.
const MAKINGS_MAX: u32 = 3;

impl Service {
    pub(crate) async fn create(self: &Arc<Self>, request: Create) -> Result<(), Error> {
        if self.has_little() || self.draining.is_cancelled() || self.drain.drains() {
            return Err(Error::Full);
        }
        let id = request.environment;
        {
            let mut environments = self.lock();
            if environments.all().len() as u64 + self.with.engine.lingering().now
                >= self.config.environments_max as u64
            {
                return Err(Error::Full);
            }
            environments.begin(id, &request.function)?;
        }
        // In a task of its own, so that a caller who goes away leaves nothing half made.
        let worker = Arc::clone(self);
        let made = self.tasks.spawn(async move {
            let began = Instant::now();
            let mut making = worker.bring_up(&request).await;
            for _ in 1..MAKINGS_MAX {
                if !matches!(making, Ok(None)) {
                    break;
                }
                making = worker.bring_up(&request).await;
            }
            let made = making.and_then(|made| {
                let reason = Inner::new("it ended again and again");
                made.ok_or(Error::Sandbox { reason })
            });
            match made {
                Ok(environment) => {
                    environment.ready();
                    worker.watch_death(Arc::clone(&environment));
                    worker.freeze_soon(environment, 0);
                    let took = began.elapsed().as_secs_f64();
                    worker.metrics.create_seconds.observe(took);
                    Ok(())
                }
                Err(error) => {
                    worker.lock().remove(Instant::now(), id);
                    worker.metrics.create_failures.inc();
                    Err(error)
                }
            }
        });
        made.await.unwrap_or(Err(Error::Internal))
    }

    /// Makes an environment and has it initialised, in the place that is kept for it. `None` if its
    /// sandbox ended meanwhile: no invoke has been near it, so another may be made in its stead.
    async fn bring_up(
        self: &Arc<Self>,
        request: &Create,
    ) -> Result<Option<Arc<Environment>>, Error> {
        let id = request.environment;
        let environment = self.make(request.clone()).await?;
        let made = Slot::Made(Arc::clone(&environment));
        let wanted = self.lock().put(id, made);
        self.metrics.environments.inc();
        self.metrics.created.inc();
        if !wanted || self.draining.is_cancelled() {
            // The caller that wants it to end has not found it; a shutdown waits for this.
            self.remove(id).await;
            return Err(Error::Full);
        }
        let initialised = self.initialise(&environment).await;
        if environment.is_dead() && environment.begin_ending() {
            environment.end().await;
            let lingers = self.await_removal(&environment);
            self.lock()
                .put(id, Slot::Making(Arc::clone(&request.function)));
            self.metrics.environments.dec();
            if lingers {
                let reason = Inner::new("its processes do not end");
                return Err(Error::Sandbox { reason });
            }
            return Ok(None);
        }
        if let Err(error) = initialised {
            self.remove(id).await;
            return Err(error);
        }
        Ok(Some(environment))
    }

    /// Forgets an environment as soon as its sandbox ends, whatever ended that: nothing can run there.
    fn watch_death(self: &Arc<Self>, environment: Arc<Environment>) {
        let worker = Arc::clone(self);
        let mut ended = environment.ended.subscribe();
        let mut dead = environment.sandbox.dead();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = told(&mut ended) => return,
                () = told(&mut dead) => {}
            }
            tracing::info!(environment = %environment.id, "an environment's sandbox has ended");
            environment.lose();
            worker.say(&environment, Event::Gone);
            worker.remove(environment.id).await;
        });
    }
}
