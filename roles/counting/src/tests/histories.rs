//! Random histories, against the plainest model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A permit in use, with its version if it counts as provisioned.
struct Out {
    function: usize,
    version: Option<u64>,
    lapses: Timestamp,
}

#[derive(Clone, Debug)]
enum Step {
    Acquire {
        function: usize,
        version: u64,
        lasts_ms: u64,
    },
    Release {
        which: usize,
    },
    ReleaseAgain {
        which: usize,
    },
    Pass {
        millis: u64,
    },
    Reserve {
        function: usize,
        reserved: Option<u32>,
    },
    Provision {
        function: usize,
        available: [u32; 2],
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3usize, 1..3u64, 0..5_000u64).prop_map(|(function, version, lasts_ms)| {
            Step::Acquire { function, version, lasts_ms }
        }),
        3 => any::<usize>().prop_map(|which| Step::Release { which }),
        1 => any::<usize>().prop_map(|which| Step::ReleaseAgain { which }),
        1 => (0..90_000u64).prop_map(|millis| Step::Pass { millis }),
        1 => (0..3usize, proptest::option::of(0..6u32))
            .prop_map(|(function, reserved)| Step::Reserve { function, reserved }),
        1 => (0..3usize, [0..3u32, 0..3u32])
            .prop_map(|(function, available)| Step::Provision { function, available }),
    ]
}

proptest! {
    /// Against the plainest model: a list of permits that are out.
    #[test]
    fn no_history_exceeds_a_limit_or_loses_a_permit(
        steps in proptest::collection::vec(step(), 1..200)
    ) {
        const LIMIT: u32 = 20;
        let mut counter = Counter::new();
        let mut reserved: [Option<u32>; 3] = [None; 3];
        // Counting learns of a change with the function's next request.
        let mut told = reserved;
        let mut provisioned = [[0; 2]; 3];
        let mut out: BTreeMap<PermitId, Out> = BTreeMap::new();
        let mut released: Vec<PermitId> = Vec::new();
        for step in steps {
            out.retain(|_, out| out.lapses > counter.now);
            match step {
                Step::Acquire { function, version, lasts_ms } => {
                    told[function] = reserved[function];
                    let ready = provisioned[function];
                    let aside = |of: usize| reserved[of].unwrap_or(provisioned[of].iter().sum());
                    let request = Acquire {
                        version: Version::Published(version),
                        provisioned: ready[version as usize - 1],
                        provisioned_total: ready.iter().sum(),
                        reserved: reserved[function], account_limit: LIMIT,
                        reserved_total: (0..3).map(aside).sum(),
                        lasts_ms, ..ask(&format!("f{function}"), None)
                    };
                    let count = |wanted: &dyn Fn(&Out) -> bool| {
                        out.values().filter(|out| wanted(out)).count() as u32
                    };
                    let all = count(&|out| out.function == function);
                    let mine = count(&|out| out.function == function && out.version.is_none());
                    let ahead = count(&|out| {
                        out.function == function && out.version == Some(version)
                    });
                    let unreserved =
                        count(&|out| told[out.function].is_none() && out.version.is_none());
                    let fits = match reserved[function] {
                        Some(limit) => {
                            all < limit && mine < limit.saturating_sub(request.provisioned_total)
                        }
                        None => unreserved < LIMIT.saturating_sub(request.reserved_total),
                    };
                    let within = reserved[function].is_none_or(|limit| all < limit);
                    let fits_ahead = within && ahead < request.provisioned;
                    match counter.acquire(request) {
                        Ok(permit) => {
                            let fits = if permit.provisioned { fits_ahead } else { fits };
                            prop_assert!(fits);
                            let lasts = Duration::from_millis(lasts_ms + 60_000);
                            let lapses = counter.now.after(lasts);
                            let version = permit.provisioned.then_some(version);
                            out.insert(permit.id, Out { function, version, lapses });
                        }
                        Err(error) => {
                            let is_rate = matches!(
                                error, Error::FunctionRate { .. } | Error::AccountRate { .. }
                            );
                            // What is ready may be refused for its own rate, and then spill over.
                            prop_assert!(is_rate || !fits, "{}", error);
                            prop_assert!(!is_rate || fits || fits_ahead, "{}", error);
                        }
                    }
                }
                Step::Release { which } => {
                    if let Some(id) = out.keys().nth(which % out.len().max(1)).copied() {
                        out.remove(&id);
                        prop_assert!(counter.state.release(id));
                        released.push(id);
                    }
                }
                Step::ReleaseAgain { which } => {
                    if let Some(id) = released.get(which % released.len().max(1)) {
                        prop_assert!(!counter.state.release(*id));
                    }
                }
                Step::Pass { millis } => {
                    counter.pass(Duration::from_millis(millis));
                    counter.state.sweep(counter.now, &counter.config);
                }
                Step::Reserve { function, reserved: wanted } => reserved[function] = wanted,
                Step::Provision { function, available } => provisioned[function] = available,
            }
            out.retain(|_, out| out.lapses > counter.now);
            prop_assert_eq!(counter.concurrent() as usize, out.len());
        }
    }
}
