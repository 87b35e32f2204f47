//! The table of types. Property by property from CloudFormation's reference of each type.

use super::{CODE, EVERYTHING, PUBLISH_AGAIN, Schema, Type};

/// Characters of the longest name of a function (Lambda), a role and an alias differ.
const FUNCTION_NAME_MAX: usize = 64;
const LAYER_NAME_MAX: usize = 140;
const ROLE_NAME_MAX: usize = 64;
const POLICY_NAME_MAX: usize = 128;
const LOG_GROUP_NAME_MAX: usize = 512;
const STATEMENT_ID_MAX: usize = 100;

const NONE: Schema = Schema {
    name: "",
    required: &[],
    mutable: &[],
    replacing: &[],
    named_by: None,
    name_characters_max: 0,
    attributes: &[],
};

pub(super) const ALL: [(Type, Schema); 14] = [
    (
        Type::Function,
        Schema {
            name: "AWS::Lambda::Function",
            required: &["Code", "Role"],
            mutable: &[
                "Architectures",
                "Code",
                "CodeSigningConfigArn",
                "DeadLetterConfig",
                "Description",
                "Environment",
                "EphemeralStorage",
                "FileSystemConfigs",
                "Handler",
                "KmsKeyArn",
                "Layers",
                "LoggingConfig",
                "MemorySize",
                "RecursiveLoop",
                "ReservedConcurrentExecutions",
                "Role",
                "Runtime",
                "RuntimeManagementConfig",
                "SnapStart",
                "Tags",
                "Timeout",
                "TracingConfig",
                "VpcConfig",
            ],
            replacing: &["FunctionName", "PackageType"],
            named_by: Some("FunctionName"),
            name_characters_max: FUNCTION_NAME_MAX,
            attributes: &["Arn", CODE, EVERYTHING],
        },
    ),
    (
        Type::Version,
        Schema {
            name: "AWS::Lambda::Version",
            required: &["FunctionName"],
            mutable: &["ProvisionedConcurrencyConfig"],
            replacing: &["CodeSha256", "Description", "FunctionName", PUBLISH_AGAIN],
            attributes: &["Version", "FunctionArn"],
            ..NONE
        },
    ),
    (
        Type::Alias,
        Schema {
            name: "AWS::Lambda::Alias",
            required: &["FunctionName", "FunctionVersion", "Name"],
            mutable: &[
                "Description",
                "FunctionVersion",
                "ProvisionedConcurrencyConfig",
                "RoutingConfig",
            ],
            replacing: &["FunctionName", "Name"],
            attributes: &["AliasArn"],
            ..NONE
        },
    ),
    (
        Type::LayerVersion,
        Schema {
            name: "AWS::Lambda::LayerVersion",
            required: &["Content"],
            replacing: &[
                "CompatibleArchitectures",
                "CompatibleRuntimes",
                "Content",
                "Description",
                "LayerName",
                "LicenseInfo",
            ],
            named_by: Some("LayerName"),
            name_characters_max: LAYER_NAME_MAX,
            attributes: &["LayerVersionArn"],
            ..NONE
        },
    ),
    (
        Type::LayerVersionPermission,
        Schema {
            name: "AWS::Lambda::LayerVersionPermission",
            required: &["Action", "LayerVersionArn", "Principal"],
            replacing: &["Action", "LayerVersionArn", "OrganizationId", "Principal"],
            named_by: Some("StatementId"),
            name_characters_max: STATEMENT_ID_MAX,
            ..NONE
        },
    ),
    (
        Type::Permission,
        Schema {
            name: "AWS::Lambda::Permission",
            required: &["Action", "FunctionName", "Principal"],
            replacing: &[
                "Action",
                "EventSourceToken",
                "FunctionName",
                "FunctionUrlAuthType",
                "InvokedViaFunctionUrl",
                "Principal",
                "PrincipalOrgID",
                "SourceAccount",
                "SourceArn",
            ],
            named_by: Some("StatementId"),
            name_characters_max: STATEMENT_ID_MAX,
            ..NONE
        },
    ),
    (
        Type::Url,
        Schema {
            name: "AWS::Lambda::Url",
            required: &["AuthType", "TargetFunctionArn"],
            mutable: &["AuthType", "Cors", "InvokeMode"],
            replacing: &["Qualifier", "TargetFunctionArn"],
            attributes: &["FunctionArn", "FunctionUrl"],
            ..NONE
        },
    ),
    (
        Type::EventSourceMapping,
        Schema {
            name: "AWS::Lambda::EventSourceMapping",
            required: &["FunctionName"],
            mutable: &[
                "BatchSize",
                "BisectBatchOnFunctionError",
                "DestinationConfig",
                "Enabled",
                "FilterCriteria",
                "FunctionName",
                "FunctionResponseTypes",
                "KmsKeyArn",
                "MaximumBatchingWindowInSeconds",
                "MaximumRecordAgeInSeconds",
                "MaximumRetryAttempts",
                "MetricsConfig",
                "ParallelizationFactor",
                "ProvisionedPollerConfig",
                "ScalingConfig",
                "SourceAccessConfigurations",
                "Tags",
                "TumblingWindowInSeconds",
            ],
            replacing: &[
                "AmazonManagedKafkaEventSourceConfig",
                "EventSourceArn",
                "Queues",
                "SelfManagedEventSource",
                "SelfManagedKafkaEventSourceConfig",
                "StartingPosition",
                "StartingPositionTimestamp",
                "Topics",
            ],
            attributes: &["EventSourceMappingArn", "Id"],
            ..NONE
        },
    ),
    (
        Type::EventInvokeConfig,
        Schema {
            name: "AWS::Lambda::EventInvokeConfig",
            required: &["FunctionName", "Qualifier"],
            mutable: &[
                "DestinationConfig",
                "MaximumEventAgeInSeconds",
                "MaximumRetryAttempts",
            ],
            replacing: &["FunctionName", "Qualifier"],
            ..NONE
        },
    ),
    (
        Type::CodeSigningConfig,
        Schema {
            name: "AWS::Lambda::CodeSigningConfig",
            required: &["AllowedPublishers"],
            mutable: &["AllowedPublishers", "CodeSigningPolicies", "Description"],
            attributes: &["CodeSigningConfigArn", "CodeSigningConfigId"],
            ..NONE
        },
    ),
    (
        Type::Role,
        Schema {
            name: "AWS::IAM::Role",
            required: &["AssumeRolePolicyDocument"],
            mutable: &[
                "AssumeRolePolicyDocument",
                "Description",
                "ManagedPolicyArns",
                "MaxSessionDuration",
                "Policies",
                "Tags",
            ],
            replacing: &["Path", "RoleName"],
            named_by: Some("RoleName"),
            name_characters_max: ROLE_NAME_MAX,
            attributes: &["Arn", "RoleId"],
        },
    ),
    (
        Type::Policy,
        Schema {
            name: "AWS::IAM::Policy",
            required: &["PolicyDocument", "PolicyName"],
            mutable: &["PolicyDocument", "Roles", "Users"],
            replacing: &["PolicyName"],
            named_by: Some("PolicyName"),
            name_characters_max: POLICY_NAME_MAX,
            ..NONE
        },
    ),
    (
        Type::ManagedPolicy,
        Schema {
            name: "AWS::IAM::ManagedPolicy",
            required: &["PolicyDocument"],
            mutable: &["PolicyDocument", "Roles", "Users"],
            replacing: &["Description", "ManagedPolicyName", "Path"],
            named_by: Some("ManagedPolicyName"),
            name_characters_max: POLICY_NAME_MAX,
            attributes: &["PolicyArn"],
        },
    ),
    (
        Type::LogGroup,
        Schema {
            name: "AWS::Logs::LogGroup",
            mutable: &["RetentionInDays", "Tags"],
            replacing: &["LogGroupName"],
            named_by: Some("LogGroupName"),
            name_characters_max: LOG_GROUP_NAME_MAX,
            attributes: &["Arn"],
            ..NONE
        },
    ),
];
