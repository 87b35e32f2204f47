//! The arrows between roles: to a callee in this process direct, or with the delay of a network; to others over the network
//! itself.

use std::sync::Arc;
use std::time::Duration;

use api::assignment::Assignment;
use api::counting::Counting;
use api::credentials::RoleCredentials;
use api::events::Events;
use api::invoke::Invoker;
use api::placement::Placement;
use api::preparation::Preparation;
use api::worker::Workers;
use faulty::{Faults, Faulty};

use crate::config::Config;
use crate::routes::Routes;

/// What lies between a caller and a callee.
#[derive(Clone)]
pub(super) enum Arrows {
    /// Every role is in this process.
    Near(Option<Arc<Faults>>),
    /// They are wherever the cluster has them.
    Far(Arc<Routes>),
}

impl Arrows {
    /// Of one process, as configured.
    pub(super) fn near(config: &Config) -> Self {
        let delay = Duration::from_millis(config.arrows.delay_ms);
        Self::Near((!delay.is_zero()).then(|| Faults::fixed(delay)))
    }
}

/// A method for each arrow: how its callee is reached, which is `near` if this process has that role. Logs have none:
/// nobody waits for them.
macro_rules! arrows {
    ($($name:ident: $arrow:ident),* $(,)?) => {
        impl Arrows {
            $(
                pub(super) fn $name(&self, near: Option<Arc<dyn $arrow>>) -> Arc<dyn $arrow> {
                    match (self, near) {
                        (Self::Far(routes), near) => routes.$name(near),
                        (Self::Near(Some(network)), Some(near)) => {
                            Arc::new(Faulty::new(near, Arc::clone(network)))
                        }
                        (Self::Near(None), Some(near)) => near,
                        (Self::Near(_), None) => unreachable!("one process has every role"),
                    }
                }
            )*
        }
    };
}

arrows! {
    assignment: Assignment,
    counting: Counting,
    credentials: RoleCredentials,
    events: Events,
    invoker: Invoker,
    placement: Placement,
    preparation: Preparation,
    workers: Workers,
}

#[cfg(test)]
mod tests {
    use api::credentials::{Credentials, Error};
    use async_trait::async_trait;
    use tokio::time::Instant;
    use types::{AccountId, FunctionArn, FunctionName, Region, Scope};

    use super::*;

    struct Nobody;

    #[async_trait]
    impl RoleCredentials for Nobody {
        async fn for_function(&self, _: &str, _: &FunctionArn) -> Result<Credentials, Error> {
            Err(Error::Unavailable)
        }
    }

    fn arrows(delay_ms: u64) -> Arrows {
        let mut config = Config::default();
        config.arrows.delay_ms = delay_ms;
        Arrows::near(&config)
    }

    #[test]
    fn without_a_delay_nothing_is_between() {
        let near: Arc<dyn RoleCredentials> = Arc::new(Nobody);
        let far = arrows(0).credentials(Some(Arc::clone(&near)));
        assert!(Arc::ptr_eq(&near, &far));
    }

    #[tokio::test(start_paused = true)]
    async fn each_way_takes_the_delay() {
        let far = arrows(3).credentials(Some(Arc::new(Nobody)));
        let began = Instant::now();
        let arn = FunctionArn {
            scope: Scope {
                account: AccountId::new("000000000000").unwrap(),
                region: Region::new("us-east-1").unwrap(),
            },
            name: FunctionName::new("f").unwrap(),
            qualifier: None,
        };
        let may = far.may("r", &arn, "a", "b").await;
        assert_eq!(may, Ok(true));
        assert_eq!(began.elapsed(), Duration::from_millis(6));
    }
}
