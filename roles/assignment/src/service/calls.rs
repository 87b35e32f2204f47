//! The calls of assignment's arrow, as the partitions that are led here answer them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::assignment::{
    Assign, Assignment, Error as Refusal, Event, Lease, Lend, Provision, Report, Standing,
};
use async_trait::async_trait;
use records::functions::FunctionKey;
use types::WorkerId;

use super::creation::{self, Purpose};
use super::waiting::Waiting;
use super::{Service, Shared};
use crate::hash;
use crate::state::{Assigned, Then, Wish};

#[async_trait]
impl Assignment for Service {
    async fn lend(&self, request: Lend) -> Result<Option<Lease>, Refusal> {
        let key = || request.function.clone();
        let begun = self.shared.begin(key, request.zone.as_deref(), false);
        let Begun::Lent(lease) = begun? else {
            return Ok(None);
        };
        self.shared.metrics.leases_warm.inc();
        Ok(Some(lease))
    }

    async fn assign(&self, request: Assign) -> Result<Lease, Refusal> {
        let key = || request.function.key();
        let begun = self.shared.begin(key, request.zone.as_deref(), true);
        if begun.is_err() {
            self.shared.metrics.leases_refused.inc();
        }
        match begun? {
            Begun::Lent(lease) => {
                self.shared.metrics.leases_warm.inc();
                Ok(lease)
            }
            Begun::Waits { mut waiting, then } => {
                let then = match then {
                    Then::WaitFirst => match waiting.early_answer().await {
                        Some(answer) => return answer,
                        None => waiting.lose_patience(),
                    },
                    other => other,
                };
                if then == Then::Create {
                    let partition = Arc::clone(&waiting.partition);
                    creation::start(self.shared.clone(), partition, request, Purpose::Wanted);
                }
                waiting.answer().await
            }
            Begun::None => Err(Refusal::Unavailable),
        }
    }

    async fn give_back(&self, lease: Lease, function: FunctionKey) -> Result<(), Refusal> {
        let partition = self.shared.partition(&function)?;
        let heard = self.shared.act(&partition, |state, now| {
            state.returned(now, lease.environment, lease.number)
        });
        match heard {
            true => Ok(()),
            false => Err(Refusal::Unavailable),
        }
    }

    async fn provision(&self, wanted: Vec<Provision>) -> Result<Vec<Option<Standing>>, Refusal> {
        Ok(self.shared.provision(&wanted))
    }

    async fn report(&self, from: Option<WorkerId>, reports: Vec<Report>) -> Result<(), Refusal> {
        let mut heard = true;
        for report in reports {
            let Ok(partition) = self.shared.partition(&report.function) else {
                heard = false;
                continue;
            };
            let id = report.environment;
            heard &= self.shared.act(&partition, |state, now| {
                if let Some(from) = from.filter(|from| state.is_elsewhere(id, *from)) {
                    tracing::warn!(worker = %from, environment = %id,
                        "a worker reports on an environment of another one; that is ignored");
                    return Vec::new();
                }
                match report.event {
                    Event::Idle { seen } => state.returned(now, id, seen),
                    Event::Gone => state.gone(id),
                }
            });
        }
        match heard {
            true => Ok(()),
            false => Err(Refusal::Unavailable),
        }
    }
}

/// How an assign began.
enum Begun {
    Lent(Lease),
    None,
    Waits { waiting: Waiting, then: Then },
}

impl Shared {
    fn begin(
        self: &Arc<Self>,
        key: impl Fn() -> FunctionKey,
        zone: Option<&str>,
        waits: bool,
    ) -> Result<Begun, Refusal> {
        let now = self.dependencies.clock.now();
        let function = key();
        let partition = self.partition(&function)?;
        let mut inner = partition.lock();
        if !inner.is_led() {
            return Err(Refusal::Unavailable);
        }
        let (assigned, effects) = inner.state.assign(now, function, zone, waits);
        let begun = match assigned {
            Assigned::Lent(lease) => Ok(Begun::Lent(lease)),
            Assigned::None => Ok(Begun::None),
            Assigned::Waits { waiter, then } => {
                let answer = inner.wait(waiter);
                let partition = Arc::clone(&partition);
                let waiting = Waiting::new(self.clone(), partition, key(), waiter, answer);
                Ok(Begun::Waits { waiting, then })
            }
            Assigned::Draining => Err(Refusal::Unavailable),
        };
        let work = inner.absorb(effects);
        drop(inner);
        self.carry_out(&partition, work);
        begun
    }

    /// Sends each partition its desired counts, including empty ones.
    fn provision(self: &Arc<Self>, wanted: &[Provision]) -> Vec<Option<Standing>> {
        let count = self.led.partitions();
        let mut wishes: BTreeMap<u32, Vec<Wish>> = BTreeMap::new();
        for provision in wanted {
            let number = hash::partition(&provision.function.key(), count);
            wishes.entry(number).or_default().push(Wish {
                function: Arc::clone(&provision.function),
                count: usize::try_from(provision.count).unwrap_or(usize::MAX),
                held: provision.held,
                asked: provision.asked,
            });
        }
        let mut standings = BTreeMap::new();
        let mut told = BTreeSet::new();
        for partition in self.led.all() {
            let wishes = wishes.remove(&partition.number).unwrap_or_default();
            let per_second = self.config.provisioned_per_second;
            let heard = self.act(&partition, |state, now| {
                let effects = state.provision(now, wishes, per_second);
                standings.append(&mut state.standings());
                effects
            });
            if heard {
                told.insert(partition.number);
            }
        }
        let keys = wanted.iter().map(|provision| provision.function.key());
        keys.map(|key| {
            let led = told.contains(&hash::partition(&key, count));
            led.then(|| standings.get(&key).cloned().unwrap_or_default())
        })
        .collect()
    }
}
