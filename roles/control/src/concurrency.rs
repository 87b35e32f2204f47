//! Reserved concurrency of functions.

use api::functions::{Function, functions_prefix};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use types::limits::UNRESERVED_CONCURRENCY_MIN;
use types::{FunctionArn, Scope};
use wire::ApiError;
use wire::validation::Violations;

use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::failure::Failure;
use crate::service::{Call, Control};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    reserved_concurrent_executions: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Concurrency {
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved_concurrent_executions: Option<u32>,
}

impl Control {
    /// Two requests for two functions at once may each see room for itself alone; the account's
    /// own limit then still holds, the reserve for functions without reservations may not.
    pub(crate) async fn put_concurrency(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = whole_function(call)?;
        let body: Body = parse_now(call.body)?;
        let mut violations = Violations::new();
        let wanted = body.reserved_concurrent_executions;
        violations.required("reservedConcurrentExecutions", wanted.as_ref());
        violations.range("reservedConcurrentExecutions", wanted, Some(0), None);
        violations.finish()?;
        self.rows.existing(&arn).await?;
        let others = self.reserved(&arn.scope, Some(&arn)).await?;
        let limit = self.config.account_concurrency;
        let room =
            u64::from(limit.saturating_sub(UNRESERVED_CONCURRENCY_MIN)).saturating_sub(others);
        let wanted = u32::try_from(wanted.unwrap_or_default()).unwrap_or(u32::MAX);
        if u64::from(wanted) > room {
            return Err(ApiError::invalid_parameter(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of \
                 [{UNRESERVED_CONCURRENCY_MIN}]."
            ))
            .into());
        }
        let reserve = |function: &mut Function| {
            function.reserved_concurrency = Some(wanted);
            Ok(())
        };
        self.rows.change(&arn, reserve).await?;
        let answer = Concurrency {
            reserved_concurrent_executions: Some(wanted),
        };
        Ok(json(StatusCode::OK, &answer))
    }

    pub(crate) async fn get_concurrency(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = whole_function(call)?;
        let (function, _) = self.rows.existing(&arn).await?;
        let reserved_concurrent_executions = function.reserved_concurrency;
        Ok(json(
            StatusCode::OK,
            &Concurrency {
                reserved_concurrent_executions,
            },
        ))
    }

    pub(crate) async fn delete_concurrency(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = whole_function(call)?;
        let release = |function: &mut Function| {
            function.reserved_concurrency = None;
            Ok(())
        };
        self.rows.change(&arn, release).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// Reserved by all functions of a scope, but for one.
    pub(crate) async fn reserved(
        &self,
        scope: &Scope,
        but: Option<&FunctionArn>,
    ) -> Result<u64, Failure> {
        let functions = self.rows.all_functions(&functions_prefix(scope)).await?;
        let others = functions
            .iter()
            .filter(|function| but.is_none_or(|but| but.name != function.name));
        Ok(others
            .filter_map(|function| function.reserved_concurrency)
            .map(u64::from)
            .sum())
    }
}

/// The function, which must be named without a qualifier.
fn whole_function(call: &Call<'_>) -> Result<FunctionArn, ApiError> {
    let arn = call.unqualified_function()?;
    if arn.qualifier.is_some() {
        return Err(ApiError::invalid_parameter(
            "This operation is permitted on Lambda functions only. Aliases and versions do not \
             support this operation. Please specify either a function name or an unqualified \
             function ARN.",
        ));
    }
    Ok(arn)
}
