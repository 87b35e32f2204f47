//! What counting promises: named rules one by one, and random histories.

mod histories;
mod provisioned;

use std::sync::Arc;
use std::time::Duration;

use api::counting::{Acquire, Counting, Error, Permit};
use prometheus_client::registry::Registry;
use records::examples::scope;
use types::{FunctionName, ManualClock, PermitId, Region, SystemRandom, Timestamp, Version};

use crate::state::State;
use crate::{Config, Metrics, Service};

fn name(name: &str) -> FunctionName {
    FunctionName::new(name).unwrap()
}

fn ask(function: &str, reserved: Option<u32>) -> Acquire {
    Acquire {
        permit: PermitId::random(&SystemRandom),
        scope: scope(),
        function: name(function),
        version: Version::Latest,
        provisioned: 0,
        provisioned_total: 0,
        reserved,
        account_limit: 1_000,
        reserved_total: reserved.unwrap_or(0),
        lasts_ms: 3_000,
        returned: Vec::new(),
    }
}

struct Counter {
    state: State,
    now: Timestamp,
    next: u128,
    config: Config,
}

impl Counter {
    fn new() -> Self {
        Self {
            state: State::default(),
            now: Timestamp::from_millis(1_000_000),
            next: 0,
            config: Config::default(),
        }
    }

    fn acquire(&mut self, request: Acquire) -> Result<Permit, Error> {
        self.next += 1;
        let permit = PermitId::from_uuid(uuid::Uuid::from_u128(self.next));
        self.ask(Acquire { permit, ..request })
    }

    /// Asks with the id that the request has.
    fn ask(&mut self, request: Acquire) -> Result<Permit, Error> {
        self.state.acquire(self.now, request, &self.config)
    }

    fn acquire_many(&mut self, times: u32, request: &Acquire) -> Vec<Permit> {
        (0..times)
            .map_while(|_| self.acquire(request.clone()).ok())
            .collect()
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    fn concurrent(&self) -> u32 {
        self.state
            .counts()
            .iter()
            .map(|count| count.concurrent)
            .sum()
    }
}

#[test]
fn reserved_concurrency_is_a_cap() {
    let mut counter = Counter::new();
    assert_eq!(counter.acquire_many(50, &ask("f", Some(10))).len(), 10);
    let refusal = counter.acquire(ask("f", Some(10))).unwrap_err();
    assert_eq!(
        refusal,
        Error::FunctionConcurrency {
            function: name("f"),
            limit: 10
        }
    );
}

#[test]
fn what_is_returned_with_a_request_counts_no_more_when_it_is_decided() {
    let mut counter = Counter::new();
    let mut before = counter.acquire(ask("f", Some(1))).unwrap().id;
    for _ in 0..5 {
        assert!(counter.acquire(ask("f", Some(1))).is_err());
        let returned = vec![before];
        let permit = counter.acquire(Acquire {
            returned,
            ..ask("f", Some(1))
        });
        before = permit.unwrap().id;
    }
    assert_eq!(counter.concurrent(), 1);
}

#[test]
fn who_asks_again_is_granted_once() {
    let mut counter = Counter::new();
    let permit = counter.acquire(ask("f", Some(2))).unwrap();
    let again = Acquire {
        permit: permit.id,
        ..ask("f", Some(2))
    };
    assert_eq!(counter.ask(again), Ok(permit));
    assert_eq!(counter.concurrent(), 1);
}

#[test]
fn a_reservation_of_zero_throttles_every_invoke() {
    let refusal = Counter::new().acquire(ask("f", Some(0))).unwrap_err();
    assert_eq!(
        refusal,
        Error::FunctionConcurrency {
            function: name("f"),
            limit: 0
        }
    );
}

#[test]
fn functions_without_a_reservation_share_what_reservations_leave() {
    let mut counter = Counter::new();
    let request = |function| Acquire {
        reserved_total: 900,
        ..ask(function, None)
    };
    assert_eq!(counter.acquire_many(60, &request("a")).len(), 60);
    assert_eq!(counter.acquire_many(60, &request("b")).len(), 40);
    let refusal = counter.acquire(request("c")).unwrap_err();
    assert_eq!(refusal, Error::AccountConcurrency { limit: 100 });
}

#[test]
fn a_reservation_is_a_guarantee_while_the_unreserved_pool_is_full() {
    let mut counter = Counter::new();
    let others = Acquire {
        reserved_total: 10,
        ..ask("others", None)
    };
    assert_eq!(counter.acquire_many(2_000, &others).len(), 990);
    assert_eq!(counter.acquire_many(20, &ask("f", Some(10))).len(), 10);
}

#[test]
fn accounts_and_regions_do_not_share() {
    let mut counter = Counter::new();
    counter.acquire_many(1_000, &ask("f", None));
    let mut elsewhere = ask("f", None);
    elsewhere.scope.region = Region::new("eu-central-1").unwrap();
    assert!(counter.acquire(elsewhere).is_ok());
    assert!(counter.acquire(ask("f", None)).is_err());
}

#[test]
fn executions_follow_a_function_into_and_out_of_its_reservation() {
    let mut counter = Counter::new();
    counter.acquire_many(300, &ask("f", None));
    let reserving = Acquire {
        reserved_total: 500,
        ..ask("f", Some(500))
    };
    counter.acquire(reserving).unwrap();
    let others = Acquire {
        reserved_total: 500,
        ..ask("others", None)
    };
    assert_eq!(counter.acquire_many(600, &others).len(), 500);
    // 801 run, 301 of them of a function that is without a reservation again.
    counter.acquire_many(1_000, &ask("f", None));
    assert_eq!(counter.concurrent(), 1_000);
}

#[test]
fn an_account_makes_ten_requests_a_second_per_unit_of_concurrency() {
    let mut counter = Counter::new();
    let request = Acquire {
        account_limit: 20,
        ..ask("f", None)
    };
    for _ in 0..200 {
        let permit = counter.acquire(request.clone()).unwrap();
        counter.state.release(permit.id);
    }
    assert_eq!(
        counter.acquire(request.clone()),
        Err(Error::AccountRate { per_second: 200 })
    );
    counter.pass(Duration::from_millis(5));
    assert!(counter.acquire(request).is_ok());
}

#[test]
fn a_reservation_makes_ten_requests_a_second_per_unit() {
    let mut counter = Counter::new();
    for _ in 0..20 {
        let permit = counter.acquire(ask("f", Some(2))).unwrap();
        counter.state.release(permit.id);
    }
    let refusal = counter.acquire(ask("f", Some(2))).unwrap_err();
    assert_eq!(
        refusal,
        Error::FunctionRate {
            function: name("f"),
            per_second: 20
        }
    );
}

#[test]
fn concurrency_is_checked_before_the_rates() {
    let mut counter = Counter::new();
    let request = Acquire {
        account_limit: 1,
        ..ask("f", None)
    };
    for _ in 0..9 {
        let permit = counter.acquire(request.clone()).unwrap();
        counter.state.release(permit.id);
    }
    counter.acquire(request.clone()).unwrap();
    assert_eq!(
        counter.acquire(request),
        Err(Error::AccountConcurrency { limit: 1 })
    );
}

#[test]
fn a_function_grows_by_a_thousand_and_then_by_a_hundred_a_second() {
    let mut counter = Counter::new();
    let request = Acquire {
        account_limit: 10_000,
        ..ask("f", None)
    };
    assert_eq!(counter.acquire_many(2_000, &request).len(), 1_000);
    assert_eq!(
        counter.acquire(request.clone()),
        Err(Error::ScalingRate {
            function: name("f")
        })
    );
    counter.pass(Duration::from_secs(1));
    assert_eq!(counter.acquire_many(2_000, &request).len(), 100);
    counter.pass(Duration::from_secs(60));
    assert_eq!(counter.acquire_many(2_000, &request).len(), 1_000);
    let other = Acquire {
        account_limit: 10_000,
        ..ask("other", None)
    };
    assert!(
        counter.acquire(other).is_ok(),
        "functions grow independently"
    );
}

#[test]
fn a_level_reached_lately_costs_nothing_of_the_scaling_rate() {
    let mut counter = Counter::new();
    let request = Acquire {
        account_limit: 10_000,
        lasts_ms: 900_000,
        ..ask("f", None)
    };
    let mut permits = counter.acquire_many(1_000, &request);
    counter.pass(Duration::from_secs(2));
    permits.extend(counter.acquire_many(200, &request));
    assert!(counter.acquire(request.clone()).is_err());
    for permit in permits {
        counter.state.release(permit.id);
    }
    assert_eq!(counter.acquire_many(2_000, &request).len(), 1_200);
}

#[test]
fn a_level_not_reached_for_ten_minutes_is_forgotten() {
    let mut counter = Counter::new();
    let request = Acquire {
        account_limit: 10_000,
        lasts_ms: 900_000,
        ..ask("f", None)
    };
    let mut permits = counter.acquire_many(1_000, &request);
    counter.pass(Duration::from_secs(10));
    permits.extend(counter.acquire_many(1_000, &request));
    for permit in permits {
        counter.state.release(permit.id);
    }
    counter.pass(Duration::from_secs(600));
    assert_eq!(counter.acquire_many(3_000, &request).len(), 1_000);
}

#[test]
fn releasing_twice_gives_back_once() {
    let mut counter = Counter::new();
    let permit = counter.acquire(ask("f", None)).unwrap();
    counter.acquire(ask("f", None)).unwrap();
    assert!(counter.state.release(permit.id));
    assert!(!counter.state.release(permit.id));
    assert_eq!(counter.concurrent(), 1);
}

#[test]
fn a_permit_nobody_gives_back_lapses_a_minute_after_its_time() {
    let mut counter = Counter::new();
    let permit = counter.acquire(ask("f", Some(1))).unwrap();
    counter.pass(Duration::from_millis(62_999));
    assert!(counter.acquire(ask("f", Some(1))).is_err());
    counter.pass(Duration::from_millis(1));
    assert!(counter.acquire(ask("f", Some(1))).is_ok());
    assert!(!counter.state.release(permit.id), "late, and harmless");
    assert_eq!(counter.concurrent(), 1);
}

#[test]
fn what_nobody_uses_is_forgotten() {
    let mut counter = Counter::new();
    let permit = counter.acquire(ask("f", None)).unwrap();
    counter.state.release(permit.id);
    counter.pass(Duration::from_secs(600));
    counter.state.sweep(counter.now, &counter.config);
    assert_eq!(counter.state.counts(), vec![]);
}

#[tokio::test]
async fn the_service_grants_counts_sweeps_and_tells() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(5)));
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let service = Service::new(Config::default(), clock.clone(), metrics);
    let first = service.acquire(ask("f", Some(2))).await.unwrap();
    let second = service.acquire(ask("f", Some(2))).await.unwrap();
    assert_ne!(first.id, second.id);
    assert!(service.acquire(ask("f", Some(2))).await.is_err());
    service.release(scope(), vec![first.id]).await.unwrap();
    service.sweep();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("counting_requests_throttled_total{limit=\"function_concurrency\"} 1"));
    assert!(text.contains(
        "counting_executions_concurrent{account=\"000000000000\",region=\"us-east-1\"} 1"
    ));
    clock.advance(Duration::from_secs(64));
    service.sweep();
    assert_eq!(service.counts()[0].concurrent, 0);
}
