//! Sandboxes without a kernel: their processes are tasks, their connections are memory.

mod instance;
mod processes;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use faulty::Seeded;
use sandbox::{Engine, Error, Instance, Lingering, Load, Spec};
use tokio::time::sleep;
use types::Random as _;

use crate::function::Ledger;
pub(crate) use instance::Inside;
use instance::Sandbox;

/// How sandboxes behave.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// The least and the most time it takes to make one.
    pub making: (Duration, Duration),
    /// The share of them that cannot be made.
    pub not_made: f64,
    /// The least and the most time until a runtime asks for its first event.
    pub init: (Duration, Duration),
    /// The share of runtimes that end before they have asked for one.
    pub init_fails: f64,
}

impl Habits {
    /// Everything succeeds, and takes no time.
    pub const AT_ONCE: Self = Self {
        making: (Duration::ZERO, Duration::ZERO),
        not_made: 0.0,
        init: (Duration::ZERO, Duration::ZERO),
        init_fails: 0.0,
    };
}

/// What one process is to do before its first event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) init: Duration,
    pub(crate) fails: bool,
}

/// Makes sandboxes of tasks.
pub struct TaskEngine {
    chance: Arc<Seeded>,
    habits: Arc<Mutex<Habits>>,
    ledger: Arc<Ledger>,
    made: AtomicU64,
    live: Mutex<Vec<Weak<Sandbox>>>,
}

impl TaskEngine {
    /// Sandboxes that behave by chance from a seed; what their functions do is noted in `ledger`.
    pub fn new(seed: u64, habits: Habits, ledger: Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self {
            chance: Arc::new(Seeded::new(seed)),
            habits: Arc::new(Mutex::new(habits)),
            ledger,
            made: AtomicU64::new(0),
            live: Mutex::default(),
        })
    }

    /// From now on they behave like this.
    pub fn set(&self, habits: Habits) {
        *locked(&self.habits) = habits;
    }

    /// How many have been made.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// All processes of all sandboxes end, as with their machine.
    pub fn end_all(&self) {
        let live = std::mem::take(&mut *locked(&self.live));
        for sandbox in live.iter().filter_map(Weak::upgrade) {
            sandbox.end();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A time between two.
fn between(chance: &Seeded, (least, most): (Duration, Duration)) -> Duration {
    least + most.saturating_sub(least).mul_f64(chance.next_fraction())
}

#[async_trait]
impl Engine for TaskEngine {
    async fn create(&self, spec: Spec) -> Result<Arc<dyn Instance>, Error> {
        let habits = *locked(&self.habits);
        sleep(between(&self.chance, habits.making)).await;
        if self.chance.next_fraction() < habits.not_made {
            return Err(Error::Gone);
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        let (chance, habits) = (Arc::clone(&self.chance), Arc::clone(&self.habits));
        let script = move || {
            let habits = *locked(&habits);
            Script {
                init: between(&chance, habits.init),
                fails: chance.next_fraction() < habits.init_fails,
            }
        };
        let sandbox = Sandbox::new(spec.id, Arc::clone(&self.ledger), Box::new(script));
        let mut live = locked(&self.live);
        live.retain(|sandbox| sandbox.strong_count() > 0);
        live.push(Arc::downgrade(&sandbox));
        Ok(sandbox)
    }

    fn load(&self) -> Result<Load, Error> {
        Ok(Load {
            memory_used: 0,
            memory_available: 1 << 40,
            memory_total: 1 << 40,
            processes: 0,
            processes_max: 1 << 20,
        })
    }

    fn lingering(&self) -> Lingering {
        Lingering::default()
    }

    async fn shutdown(&self) {
        self.end_all();
    }
}
