//! Which operation of Lambda's API a request is for: verified, throttled, and passed to its handler.

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use types::Scope;
use wire::authority::authority;
use wire::error::Fault;
use wire::rest::{Operation, check_query, route};
use wire::sigv4::Signed;
use wire::{ApiError, shortened};

use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

impl Control {
    /// Answers a request that is for no path of Lambent's own.
    pub(crate) async fn operation(
        &self,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        let (path, query) = (parts.uri.path(), parts.uri.query());
        let matched = route(&parts.method, path, query);
        let signed = Signed::parse(parts).map_err(ApiError::from)?;
        signed.require_service("lambda").map_err(ApiError::from)?;
        let requester = self
            .authenticator
            .authenticate(&signed, parts, body)
            .await
            .map_err(ApiError::from)?;
        let matched = matched.ok_or_else(|| unknown_operation(parts))?;
        check_query(query)?;
        let region = self.config.regions.of(&signed)?;
        let scope = Scope {
            account: requester.account().clone(),
            region,
        };
        let call = Call {
            standing: self.standing(&requester, &matched, query, &scope).await?,
            requester,
            scope,
            matched,
            query,
            body,
            host: authority(parts)
                .ok()
                .filter(|host| !host.is_empty())
                .unwrap_or("localhost"),
        };
        let operation = call.matched.operation;
        self.throttle
            .admit(self.clock.now(), &call.scope, operation)?;
        call.check_model().await?;
        self.dispatch(&call).await
    }

    async fn dispatch(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        match call.matched.operation {
            Operation::CreateFunction => self.create_function(call).await,
            Operation::GetFunction => self.get_function(call).await,
            Operation::GetFunctionConfiguration => self.get_function_configuration(call).await,
            Operation::ListFunctions => self.list_functions(call).await,
            Operation::UpdateFunctionCode => self.update_function_code(call).await,
            Operation::UpdateFunctionConfiguration => {
                self.update_function_configuration(call).await
            }
            Operation::DeleteFunction => self.delete_function(call).await,
            Operation::PublishVersion => self.publish_version(call).await,
            Operation::ListVersionsByFunction => self.list_versions(call).await,
            Operation::CreateAlias => self.create_alias(call).await,
            Operation::GetAlias => self.get_alias(call).await,
            Operation::ListAliases => self.list_aliases(call).await,
            Operation::UpdateAlias => self.update_alias(call).await,
            Operation::DeleteAlias => self.delete_alias(call).await,
            Operation::PutFunctionConcurrency => self.put_concurrency(call).await,
            Operation::GetFunctionConcurrency => self.get_concurrency(call).await,
            Operation::DeleteFunctionConcurrency => self.delete_concurrency(call).await,
            Operation::PublishLayerVersion => self.publish_layer_version(call).await,
            Operation::GetLayerVersion => self.get_layer_version(call).await,
            Operation::GetLayerVersionByArn => self.get_layer_version_by_arn(call).await,
            Operation::AddLayerVersionPermission => self.add_layer_permission(call).await,
            Operation::GetLayerVersionPolicy => self.get_layer_policy(call).await,
            Operation::RemoveLayerVersionPermission => self.remove_layer_permission(call).await,
            Operation::ListLayers => self.list_layers(call).await,
            Operation::ListLayerVersions => self.list_layer_versions(call).await,
            Operation::DeleteLayerVersion => self.delete_layer_version(call).await,
            Operation::CreateFunctionUrlConfig => self.create_url(call).await,
            Operation::GetFunctionUrlConfig => self.get_url(call).await,
            Operation::UpdateFunctionUrlConfig => self.update_url(call).await,
            Operation::DeleteFunctionUrlConfig => self.delete_url(call).await,
            Operation::ListFunctionUrlConfigs => self.list_urls(call).await,
            Operation::PutProvisionedConcurrencyConfig => self.put_provisioned(call).await,
            Operation::GetProvisionedConcurrencyConfig => self.get_provisioned(call).await,
            Operation::DeleteProvisionedConcurrencyConfig => self.delete_provisioned(call).await,
            Operation::ListProvisionedConcurrencyConfigs => self.list_provisioned(call).await,
            Operation::GetAccountSettings => self.account_settings(call).await,
            Operation::AddPermission => self.add_permission(call).await,
            Operation::RemovePermission => self.remove_permission(call).await,
            Operation::GetPolicy => self.get_policy(call).await,
            Operation::TagResource => self.tag_resource(call).await,
            Operation::UntagResource => self.untag_resource(call).await,
            Operation::ListTags => self.list_tags(call).await,
            Operation::PutFunctionEventInvokeConfig => self.put_event_invoke_config(call).await,
            Operation::UpdateFunctionEventInvokeConfig => {
                self.update_event_invoke_config(call).await
            }
            Operation::GetFunctionEventInvokeConfig => self.get_event_invoke_config(call).await,
            Operation::DeleteFunctionEventInvokeConfig => {
                self.delete_event_invoke_config(call).await
            }
            Operation::ListFunctionEventInvokeConfigs => self.list_event_invoke_configs(call).await,
            Operation::CreateEventSourceMapping => self.create_mapping(call).await,
            Operation::UpdateEventSourceMapping => self.update_mapping(call).await,
            Operation::GetEventSourceMapping => self.get_mapping(call).await,
            Operation::DeleteEventSourceMapping => self.delete_mapping(call).await,
            Operation::ListEventSourceMappings => self.list_mappings(call).await,
            Operation::CreateCodeSigningConfig => self.create_code_signing(call).await,
            Operation::UpdateCodeSigningConfig => self.update_code_signing(call).await,
            Operation::GetCodeSigningConfig => self.get_code_signing(call).await,
            Operation::ListCodeSigningConfigs => self.list_code_signings(call).await,
            Operation::DeleteCodeSigningConfig => self.delete_code_signing(call).await,
            Operation::PutFunctionCodeSigningConfig => self.put_function_code_signing(call).await,
            Operation::GetFunctionCodeSigningConfig => self.get_function_code_signing(call).await,
            Operation::DeleteFunctionCodeSigningConfig => {
                self.delete_function_code_signing(call).await
            }
            Operation::ListFunctionsByCodeSigningConfig => {
                self.list_functions_by_code_signing(call).await
            }
            Operation::PutFunctionRecursionConfig => self.put_recursion(call).await,
            Operation::GetFunctionRecursionConfig => self.get_recursion(call).await,
            Operation::PutRuntimeManagementConfig => self.put_runtime_management(call).await,
            Operation::GetRuntimeManagementConfig => self.get_runtime_management(call).await,
            other => {
                call.authorise(&call.scope.account, "*")?;
                Err(ApiError::not_implemented(other.name()).into())
            }
        }
    }
}

fn unknown_operation(parts: &Parts) -> ApiError {
    let message = format!(
        "Unknown operation: {} {}",
        parts.method,
        shortened(parts.uri.path())
    );
    ApiError::new(
        http::StatusCode::NOT_FOUND,
        "UnknownOperationException",
        Fault::Unsaid,
        message,
    )
}
