//! Invokes on behalf of events: in the same way as synchronous ones, without an HTTP request.

use std::sync::Arc;

use admission::{Admitted, Checked, InvocationType};
use api::credentials::Credentials;
use api::invoke::{Error, Invoke, Invoker, Outcome, Target, Why};
use async_trait::async_trait;
use http::StatusCode;
use types::FunctionArn;
use wire::ApiError;
use wire::rest::Operation;

use crate::answer::RECURSIVE;
use crate::run::{Delivery, Ran};
use crate::service::Frontend;

/// The arrow's implementation: invokes continue in tasks that hold the frontend.
struct OfEvents(Arc<Frontend>);

impl Frontend {
    /// For the asynchronous plane.
    pub fn invoker(self: &Arc<Self>) -> Arc<dyn Invoker> {
        Arc::new(OfEvents(Arc::clone(self)))
    }
}

#[async_trait]
impl Invoker for OfEvents {
    async fn target(&self, arn: &FunctionArn) -> Result<Target, Error> {
        let found = self.0.with.admission.find(arn).await.map_err(error)?;
        Ok(Target {
            function: found.function,
            reserved: found.reserved,
        })
    }

    async fn may_invoke(&self, keys: &Credentials, arn: &FunctionArn) -> Result<(), Error> {
        let admission = &self.0.with.admission;
        let action = Operation::Invoke.action();
        let allowed = admission.authorise_keys(keys, action, arn).await;
        allowed.map_err(error)?;
        admission.find(arn).await.map(drop).map_err(error)
    }

    async fn invoke(&self, invoke: Invoke) -> Result<Outcome, Error> {
        let found = self.0.with.admission.find(&invoke.arn).await;
        let found = found.map_err(error)?;
        let function = found.function.clone();
        let admitted = Admitted {
            arn: invoke.arn,
            found,
            request: Checked {
                invocation_type: InvocationType::Event,
                log_tail: false,
                client_context: None,
                payload: invoke.payload,
            },
            trace: invoke.trace,
        };
        match self
            .0
            .start(invoke.request, admitted, Delivery::Whole)
            .await
        {
            Ok(Ran::Whole(answer, payload)) => Ok(Outcome {
                function,
                failed: answer.failed,
                payload,
            }),
            Ok(Ran::Stream { .. }) => Err(error(ApiError::service("The invoke was lost."))),
            Err(refused) => Err(error(refused)),
        }
    }
}

/// What to do about a refusal.
fn error(refused: ApiError) -> Error {
    let why = match refused.status {
        StatusCode::NOT_FOUND => Why::NotFound,
        StatusCode::FORBIDDEN => Why::Denied,
        StatusCode::TOO_MANY_REQUESTS => Why::Throttled,
        _ if refused.code == RECURSIVE => Why::Recursive,
        _ => Why::Unavailable,
    };
    Error {
        why,
        status: refused.status.as_u16(),
        code: refused.code.to_string(),
        message: refused.message,
    }
}
