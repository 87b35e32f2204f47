//! Processes of assignment over one journal, which share its partitions by leases; and the way to the leaders.
//!
//! Leases are moved from outside, as histories want it: in order, or with a holder that is stuck, keeps believing that it
//! leads, and wakes up later.

mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::assignment::{Assign, Assignment, Error, Lease, Lend, Provision, Report, Standing};
use assignment::{Counts, Leads, partition, partition_names};
use async_trait::async_trait;
use faulty::{Faults, Faulty, Rates, Seeded};
use prometheus_client::registry::Registry;
use records::functions::FunctionKey;
use storage::memory::MemoryJournal;
use tokio::sync::watch;
use types::{Random as _, WorkerId};

use crate::workers::Power;
use witness::Witness;

/// Into how many partitions functions are spread.
const PARTITIONS: u32 = 3;

/// What all processes work with; each has a line of its own to all of it.
pub(crate) struct With {
    pub(crate) dependencies: assignment::Dependencies,
    /// The network to the journal.
    pub(crate) journal: Arc<Faults>,
    pub(crate) chance: Arc<Seeded>,
}

/// See the module.
pub struct Leaders {
    with: With,
    kept: Arc<MemoryJournal>,
    witness: Arc<Mutex<witness::Notes>>,
    processes: Mutex<Vec<Arc<Process>>>,
    /// Who has the lease of a partition, by its name.
    leases: Mutex<BTreeMap<String, usize>>,
    /// Where calls about a partition go: to who had its lease a while ago, maybe.
    routes: Mutex<BTreeMap<String, usize>>,
}

/// A process with assignment in it.
struct Process {
    /// None once it has ended.
    service: Mutex<Option<Arc<assignment::Service>>>,
    held: watch::Sender<BTreeSet<String>>,
    /// The last part of the network from it.
    line: Arc<Faults>,
    power: Power,
}

impl Leaders {
    /// `count` processes, of which the first leads everything.
    pub(crate) async fn begin(count: usize, with: With) -> Arc<Self> {
        let leaders = Arc::new(Self {
            with,
            kept: Arc::default(),
            witness: Arc::default(),
            processes: Mutex::default(),
            leases: Mutex::default(),
            routes: Mutex::default(),
        });
        let first = leaders.add(partition_names(PARTITIONS)).await;
        for _ in 1..count {
            leaders.add(BTreeSet::new()).await;
        }
        let all = || partition_names(PARTITIONS).into_iter();
        *locked(&leaders.leases) = all().map(|name| (name, first)).collect();
        *locked(&leaders.routes) = all().map(|name| (name, first)).collect();
        leaders
    }

    /// Adds a process that leads these.
    async fn add(&self, held: BTreeSet<String>) -> usize {
        let number = locked(&self.processes).len();
        let line = Faults::new(self.with.chance.next_u64(), Rates::default());
        let kept = Witness::new(number, Arc::clone(&self.kept), Arc::clone(&self.witness));
        let journal = Faulty::new(Arc::new(kept), Arc::clone(&self.with.journal));
        let with = &self.with.dependencies;
        let dependencies = assignment::Dependencies {
            journal: Arc::new(Faulty::new(Arc::new(journal), Arc::clone(&line))),
            placement: Arc::new(Faulty::new(Arc::clone(&with.placement), Arc::clone(&line))),
            workers: Arc::new(Faulty::new(Arc::clone(&with.workers), Arc::clone(&line))),
            ..with.clone()
        };
        let config = assignment::Config {
            partitions: PARTITIONS,
            ..assignment::Config::default()
        };
        let metrics = assignment::Metrics::new(&mut Registry::default());
        let held = watch::Sender::new(held);
        let leads = Leads::of(held.subscribe(), watch::Sender::default());
        let service = assignment::Service::start(config, dependencies, leads, metrics).await;
        locked(&self.processes).push(Arc::new(Process {
            service: Mutex::new(Some(Arc::new(service.unwrap()))),
            held,
            line,
            power: Power::on(),
        }));
        number
    }

    /// The processes that live.
    fn living(&self) -> Vec<usize> {
        let processes = locked(&self.processes);
        let living = processes.iter().enumerate();
        living
            .filter(|(_, process)| process.power.is_on())
            .map(|(number, _)| number)
            .collect()
    }

    /// One lease moves in order.
    pub fn move_one(&self, chance: &Seeded) -> String {
        let (name, to) = self.pick(chance);
        self.give(&name, to);
        self.settle();
        format!("the lease of {name} moves to process {to}")
    }

    /// One lease moves while its holder is stuck, for some seconds: everything from it is delayed, and for a part of that
    /// time calls still go to it.
    pub async fn move_from_stuck(&self, chance: &Seeded) -> String {
        let (name, to) = self.pick(chance);
        let from = locked(&self.leases)[&name];
        if from == to {
            return String::new();
        }
        let stuck = self.process(from);
        let delay = Duration::from_millis(chance.below(3_000));
        stuck.line.set(Rates::fixed(delay));
        locked(&self.leases).insert(name.clone(), to);
        self.process(to).held.send_modify(|held| {
            held.insert(name.clone());
        });
        tokio::time::sleep(delay.mul_f64(chance.next_fraction())).await;
        locked(&self.routes).insert(name.clone(), to);
        tokio::time::sleep(delay.mul_f64(chance.next_fraction())).await;
        stuck.line.set(Rates::default());
        self.settle();
        format!("process {from} was stuck for {delay:?}; {to} has the lease of {name}")
    }

    /// A process ends, in order or at once, and another begins.
    pub async fn end_one(&self, chance: &Seeded, in_order: bool) -> String {
        let living = self.living();
        let number = living[chance.below(living.len() as u64) as usize];
        let process = self.process(number);
        let service = locked(&process.service).take();
        if in_order {
            if let Some(service) = service {
                service.hand_over().await;
            }
        } else {
            process.line.set(Rates::cut_off());
            drop(service);
        }
        process.power.off();
        // Who is silent loses its leases after their term.
        let term = if in_order { 0 } else { 3_000 };
        tokio::time::sleep(Duration::from_millis(term)).await;
        self.add(BTreeSet::new()).await;
        self.settle();
        format!("process {number} has ended, in order: {in_order}")
    }

    /// From here on every partition is led by a process that lives, and all know which.
    pub fn settle(&self) {
        let living = self.living();
        for name in partition_names(PARTITIONS) {
            let holder = locked(&self.leases)[&name];
            let holder = match living.contains(&holder) {
                true => holder,
                false => living[0],
            };
            self.give(&name, holder);
        }
        let leases = locked(&self.leases).clone();
        for number in living {
            let held: BTreeSet<String> = leases
                .iter()
                .filter(|(_, holder)| **holder == number)
                .map(|(name, _)| name.clone())
                .collect();
            self.process(number).held.send_if_modified(|now| {
                let changed = *now != held;
                now.clone_from(&held);
                changed
            });
        }
    }

    /// Environments by state, as who leads them knows them.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for number in self.living() {
            let service = locked(&self.process(number).service).clone();
            let counts = service.map(|service| service.counts()).unwrap_or_default();
            sum.creating += counts.creating;
            sum.idle += counts.idle;
            sum.busy += counts.busy;
            sum.draining += counts.draining;
            sum.waiting += counts.waiting;
        }
        sum
    }

    /// Records that were written by a process that had not claimed the partition last.
    pub fn wrong(&self) -> Vec<String> {
        locked(&self.witness).wrong.clone()
    }

    fn pick(&self, chance: &Seeded) -> (String, usize) {
        let number = chance.below(u64::from(PARTITIONS)) as u32;
        let living = self.living();
        let to = living[chance.below(living.len() as u64) as usize];
        (assignment::partition_name(number), to)
    }

    fn give(&self, name: &str, to: usize) {
        locked(&self.leases).insert(name.to_owned(), to);
        locked(&self.routes).insert(name.to_owned(), to);
    }

    fn process(&self, number: usize) -> Arc<Process> {
        Arc::clone(&locked(&self.processes)[number])
    }

    /// Where calls about a function go.
    fn route(&self, function: &FunctionKey) -> usize {
        let name = assignment::partition_name(partition(function, PARTITIONS));
        locked(&self.routes)[&name]
    }
}

impl Process {
    async fn ask<T, F: Future<Output = Result<T, Error>>>(
        &self,
        call: impl FnOnce(Arc<assignment::Service>) -> F,
    ) -> Result<T, Error> {
        let service = locked(&self.service).clone();
        let service = service.ok_or(Error::Unavailable)?;
        let answer = self.power.during(call(service)).await;
        answer.unwrap_or(Err(Error::Unavailable))
    }
}

#[async_trait]
impl Assignment for Leaders {
    async fn lend(&self, request: Lend) -> Result<Option<Lease>, Error> {
        let process = self.process(self.route(&request.function));
        process
            .ask(async move |service| service.lend(request).await)
            .await
    }

    async fn assign(&self, request: Assign) -> Result<Lease, Error> {
        let process = self.process(self.route(&request.function.key()));
        process
            .ask(async move |service| service.assign(request).await)
            .await
    }

    async fn give_back(&self, lease: Lease, function: FunctionKey) -> Result<(), Error> {
        let process = self.process(self.route(&function));
        process
            .ask(async move |service| service.give_back(lease, function).await)
            .await
    }

    async fn provision(&self, wanted: Vec<Provision>) -> Result<Vec<Option<Standing>>, Error> {
        let mut all = vec![None; wanted.len()];
        for number in self.living() {
            let wanted = wanted.clone();
            let process = self.process(number);
            let standings = process
                .ask(async move |service| service.provision(wanted).await)
                .await;
            for (known, standing) in all.iter_mut().zip(standings.unwrap_or_default()) {
                if standing.is_some() {
                    *known = standing;
                }
            }
        }
        Ok(all)
    }

    async fn report(&self, from: Option<WorkerId>, reports: Vec<Report>) -> Result<(), Error> {
        let mut by_process: BTreeMap<usize, Vec<Report>> = BTreeMap::new();
        for report in reports {
            let to = self.route(&report.function);
            by_process.entry(to).or_default().push(report);
        }
        let mut heard = Ok(());
        for (number, reports) in by_process {
            let process = self.process(number);
            let told = process
                .ask(async move |service| service.report(from, reports).await)
                .await;
            heard = heard.and(told);
        }
        heard
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
