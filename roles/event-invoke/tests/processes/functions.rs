//! What events invoke here: functions that count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use api::credentials::{Credentials, Error as CredentialsError, RoleCredentials};
use api::invoke::{Error, Invoke, Invoker, Outcome, Target, Why};
use async_trait::async_trait;
use bytes::Bytes;
use records::functions::{Configuration, FunctionVersion};
use types::{FunctionArn, Random as _, SystemRandom};

/// Functions that count, and take some milliseconds. Now and then there is no room for one.
pub(crate) struct Functions {
    pub(crate) counts: Arc<[AtomicU32]>,
    pub(crate) configuration: Arc<Configuration>,
}

impl Functions {
    fn version(&self, arn: &FunctionArn) -> Arc<FunctionVersion> {
        Arc::new(FunctionVersion {
            scope: arn.scope.clone(),
            name: arn.name.clone(),
            configuration: Arc::clone(&self.configuration),
        })
    }
}

#[async_trait]
impl Invoker for Functions {
    async fn target(&self, arn: &FunctionArn) -> Result<Target, Error> {
        Ok(Target {
            function: self.version(arn),
            reserved: None,
        })
    }

    async fn may_invoke(&self, _: &Credentials, _: &FunctionArn) -> Result<(), Error> {
        Ok(())
    }

    async fn invoke(&self, invoke: Invoke) -> Result<Outcome, Error> {
        if SystemRandom.next_fraction() < 0.001 {
            return Err(Error {
                why: Why::Throttled,
                status: 429,
                code: "TooManyRequestsException".to_owned(),
                message: "Rate Exceeded.".to_owned(),
            });
        }
        let takes = 0.002 + 0.008 * SystemRandom.next_fraction();
        tokio::time::sleep(Duration::from_secs_f64(takes)).await;
        let number: usize = std::str::from_utf8(&invoke.payload)
            .unwrap()
            .parse()
            .unwrap();
        self.counts[number].fetch_add(1, Ordering::Relaxed);
        Ok(Outcome {
            function: self.version(&invoke.arn),
            failed: false,
            payload: Bytes::from_static(b"null"),
        })
    }
}

/// There are no destinations here.
pub(crate) struct NoRoles;

#[async_trait]
impl RoleCredentials for NoRoles {
    async fn for_function(
        &self,
        _: &str,
        _: &FunctionArn,
    ) -> Result<Credentials, CredentialsError> {
        Err(CredentialsError::Unavailable)
    }
}
