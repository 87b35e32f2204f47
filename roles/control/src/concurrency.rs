//! Reserved concurrency of functions.

mod claims;

use bytes::Bytes;
use http::{Response, StatusCode};
use records::functions::Function;
use serde::{Deserialize, Serialize};
use types::FunctionArn;
use types::limits::UNRESERVED_CONCURRENCY_MIN;
use wire::ApiError;

use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::call::Call;
use crate::event_invoke_config::latest_named;
use crate::failure::Failure;
use crate::service::Control;

pub(crate) use claims::{Change, Claimed};

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
    pub(crate) async fn put_concurrency(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = whole_function(call)?;
        let body: Body = parse_now(call.body)?;
        let wanted = body.reserved_concurrent_executions.unwrap_or_default();
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        self.functions.existing(&latest_named(arn.clone())).await?;
        let claimed = self.claim(&arn, Change::Reserve(wanted)).await?;
        let reserved = self.reserve(&arn, wanted, &claimed).await;
        self.end_claim(claimed).await;
        reserved?;
        let answer = Concurrency {
            reserved_concurrent_executions: Some(wanted),
        };
        Ok(json(StatusCode::OK, &answer))
    }

    async fn reserve(
        &self,
        arn: &FunctionArn,
        wanted: u32,
        claimed: &Claimed,
    ) -> Result<(), Failure> {
        let rows = self.provisioned_of(arn).await?;
        let provisioned: u64 = rows.values().map(|row| u64::from(row.requested)).sum();
        if u64::from(wanted) < provisioned {
            return Err(ApiError::invalid_parameter(format!(
                " ReservedConcurrentExecutions  {wanted} should not be lower than function's total \
                 provisioned concurrency [{provisioned}]."
            ))
            .into());
        }
        if !self.has_room(claimed).await? {
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
        self.functions.change(arn, reserve).await?;
        Ok(())
    }

    pub(crate) async fn get_concurrency(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = whole_function(call)?;
        let (function, _) = self.functions.existing(&arn).await?;
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
        self.functions.change(&arn, release).await?;
        Ok(empty(StatusCode::NO_CONTENT))
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
