//! GetAccountSettings.

use bytes::Bytes;
use http::{Response, StatusCode};
use records::functions::functions_prefix;
use serde::Serialize;
use types::limits::{UNZIPPED_BYTES_MAX, ZIP_UPLOAD_BYTES_MAX};

use crate::answer::json;
use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccountSettings {
    account_limit: AccountLimit,
    account_usage: AccountUsage,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccountLimit {
    total_code_size: u64,
    code_size_unzipped: u64,
    code_size_zipped: usize,
    concurrent_executions: u32,
    unreserved_concurrent_executions: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccountUsage {
    total_code_size: u64,
    function_count: usize,
}

impl Control {
    pub(crate) async fn account_settings(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        call.authorise(&call.scope.account, "*")?;
        let functions = self
            .functions
            .all_functions(&functions_prefix(&call.scope))
            .await?;
        let reserved = self.shares(&call.scope).await?.values().sum();
        let limit = self.config.account_concurrency;
        let settings = AccountSettings {
            account_limit: AccountLimit {
                total_code_size: self.config.code_bytes_max,
                code_size_unzipped: UNZIPPED_BYTES_MAX,
                code_size_zipped: ZIP_UPLOAD_BYTES_MAX,
                concurrent_executions: limit,
                unreserved_concurrent_executions: u64::from(limit).saturating_sub(reserved),
            },
            account_usage: AccountUsage {
                total_code_size: self.code_bytes(&call.scope).await?,
                function_count: functions.len(),
            },
        };
        Ok(json(StatusCode::OK, &settings))
    }
}
