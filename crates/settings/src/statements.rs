//! From the members of AddPermission and AddLayerVersionPermission to the statement that AWS makes of
//! them, and to the policy that contains it.

use std::collections::BTreeMap;

use http::StatusCode;
use policy::Context;
use records::policies::{Condition, Principal, ResourcePolicy, Statement};
use serde::Deserialize;
use types::AccountId;
use wire::ApiError;
use wire::error::Fault;

/// The longest policy, bytes of its document (AWS: 20 KB).
const POLICY_BYTES_MAX: usize = 20_480;

/// The members that make a statement. Those of layers are fewer and named the same, but for
/// `OrganizationId`.
#[derive(Clone, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Permission {
    /// `StatementId`: its name in the policy.
    pub statement_id: Option<String>,
    /// `Action`.
    pub action: Option<String>,
    /// `Principal`: whom it allows.
    pub principal: Option<String>,
    source_arn: Option<String>,
    source_account: Option<String>,
    event_source_token: Option<String>,
    #[serde(rename = "PrincipalOrgID", alias = "OrganizationId")]
    principal_org_id: Option<String>,
    function_url_auth_type: Option<String>,
    invoked_via_function_url: Option<bool>,
}

impl Permission {
    /// The condition keys that AddPermission has.
    pub fn context(&self) -> Context {
        let mut context = Context::new();
        if let Some(principal) = &self.principal {
            context.set("lambda:Principal", principal.clone());
        }
        if let Some(auth) = &self.function_url_auth_type {
            context.set("lambda:FunctionUrlAuthType", auth.clone());
        }
        context
    }

    /// The statement that allows somebody to do something with `resource`, an exact ARN.
    pub fn statement(self, resource: &str) -> Result<Statement, ApiError> {
        let action = self.action.unwrap_or_default();
        let is_url = action == "lambda:InvokeFunctionUrl";
        if self.function_url_auth_type.is_some() && !is_url {
            return Err(ApiError::invalid_parameter(format!(
                "FunctionUrlAuthType is only supported for the lambda:InvokeFunctionUrl action, not \
                 for {action}"
            )));
        }
        if self.invoked_via_function_url.is_some() && action != "lambda:InvokeFunction" {
            return Err(ApiError::invalid_parameter(format!(
                "InvokedViaFunctionUrl is only supported for the lambda:InvokeFunction action, not \
                 for {action}"
            )));
        }
        let mut condition = Condition::default();
        let equals = [
            ("AWS:SourceAccount", self.source_account),
            ("lambda:EventSourceToken", self.event_source_token),
            ("aws:PrincipalOrgID", self.principal_org_id),
            ("lambda:FunctionUrlAuthType", self.function_url_auth_type),
        ];
        for (key, value) in equals {
            if let Some(value) = value {
                condition.string_equals.insert(key.to_owned(), value);
            }
        }
        if let Some(arn) = self.source_arn {
            let key = "AWS:SourceArn".to_owned();
            condition.arn_like.insert(key, arn);
        }
        if let Some(via) = self.invoked_via_function_url {
            let key = "lambda:InvokedViaFunctionUrl".to_owned();
            condition.bool.insert(key, via.to_string());
        }
        Ok(Statement {
            sid: self.statement_id.unwrap_or_default(),
            effect: "Allow".to_owned(),
            principal: principal(&self.principal.unwrap_or_default())?,
            action,
            resource: resource.to_owned(),
            condition: Some(condition).filter(|condition| *condition != Condition::default()),
        })
    }
}

/// Adds a statement, if it can be evaluated, its id is free and there is room.
pub fn add(policy: &mut ResourcePolicy, statement: Statement) -> Result<(), ApiError> {
    if policy
        .statements
        .iter()
        .any(|known| known.sid == statement.sid)
    {
        return Err(ApiError::conflict(format!(
            "The statement id ({}) provided already exists. Please provide a new statement id, or \
             remove the existing statement.",
            statement.sid
        )));
    }
    // For example half a variable in a source's ARN: the whole policy would deny.
    if !statement.is_understood() {
        return Err(ApiError::invalid_parameter(
            "The provided permission is invalid: the policy that it would make has syntax errors.",
        ));
    }
    policy.statements.push(statement);
    let size = policy.document().len();
    if size > POLICY_BYTES_MAX {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "PolicyLengthExceededException",
            Fault::User,
            format!(
                "The final policy size ({size}) is bigger than the limit ({POLICY_BYTES_MAX})."
            ),
        ));
    }
    Ok(())
}

/// Removes the statement of that name.
pub fn remove(policy: &mut ResourcePolicy, sid: &str) -> Result<(), ApiError> {
    let before = policy.statements.len();
    policy.statements.retain(|statement| statement.sid != sid);
    if policy.statements.len() == before {
        let message = format!("Statement {sid} is not found in resource policy.");
        return Err(ApiError::not_found(message));
    }
    Ok(())
}

/// What names of services end with.
const SERVICES: [&str; 4] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazon.com",
    ".aws.internal",
];

/// The condition keys that are about an existing statement.
pub fn context(statement: &Statement) -> Context {
    const ROOT: (&str, &str) = ("arn:aws:iam::", ":root");
    let mut context = Context::new();
    let named = match &statement.principal {
        Principal::Anyone(text) => Some(text.as_str()),
        Principal::Named(named) => named.values().next().map(String::as_str),
    };
    if let Some(text) = named {
        // As the request that added it named the account.
        let account = text
            .strip_prefix(ROOT.0)
            .and_then(|rest| rest.strip_suffix(ROOT.1));
        context.set("lambda:Principal", account.unwrap_or(text));
    }
    let equals = statement
        .condition
        .as_ref()
        .map(|condition| &condition.string_equals);
    if let Some(auth) = equals.and_then(|equals| equals.get("lambda:FunctionUrlAuthType")) {
        context.set("lambda:FunctionUrlAuthType", auth.clone());
    }
    context
}

/// `*`, an account, the ARN of a principal, or a service.
fn principal(text: &str) -> Result<Principal, ApiError> {
    let named =
        |kind: &str, name: String| Ok(Principal::Named(BTreeMap::from([(kind.to_owned(), name)])));
    if text == "*" {
        return Ok(Principal::Anyone(text.to_owned()));
    }
    if AccountId::new(text).is_ok() {
        return named("AWS", format!("arn:aws:iam::{text}:root"));
    }
    let kind = match text.starts_with("arn:") {
        true => "AWS",
        false if SERVICES.iter().any(|end| text.ends_with(end)) => "Service",
        false => return Err(nobody()),
    };
    // What a policy could not name is nobody.
    let document = serde_json::json!({ "Statement": {
        "Effect": "Allow", "Principal": { kind: text }, "Action": "*", "Resource": "*",
    }});
    if policy::Policy::from_value(&document, policy::Form::Resource).is_err() {
        return Err(nobody());
    }
    named(kind, text.to_owned())
}

fn nobody() -> ApiError {
    ApiError::invalid_parameter(
        "The provided principal was invalid. Please check the principal and try again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const F: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

    fn check(members: &str, expected: &str) {
        let permission: Permission = serde_json::from_str(members).unwrap();
        let statement = permission.statement(F).unwrap();
        let expected = expected.replace("arn:f", F);
        assert_eq!(serde_json::to_string(&statement).unwrap(), expected);
    }

    #[test]
    fn statements_are_as_aws_writes_them() {
        check(
            r#"{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"s3.amazonaws.com",
                "SourceArn":"arn:aws:s3:::b","SourceAccount":"123456789012"}"#,
            r#"{"Sid":"s","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:f","Condition":{"StringEquals":{"AWS:SourceAccount":"123456789012"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}"#,
        );
        check(
            r#"{"StatementId":"s","Action":"lambda:*","Principal":"123456789012"}"#,
            r#"{"Sid":"s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"lambda:*","Resource":"arn:f"}"#,
        );
        check(
            r#"{"StatementId":"s","Action":"lambda:InvokeFunctionUrl","Principal":"*","FunctionUrlAuthType":"NONE"}"#,
            r#"{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"arn:f","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}"#,
        );
        check(
            r#"{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"*","InvokedViaFunctionUrl":true}"#,
            r#"{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:f","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}"#,
        );
        check(
            r#"{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"arn:aws:iam::123456789012:role/r",
                "PrincipalOrgID":"o-a1b2c3d4e5","EventSourceToken":"t"}"#,
            r#"{"Sid":"s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/r"},"Action":"lambda:InvokeFunction","Resource":"arn:f","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5","lambda:EventSourceToken":"t"}}}"#,
        );
    }

    #[test]
    fn what_no_decision_could_be_made_by_is_refused() {
        for source in [
            "arn:aws:s3:::${aws:x",
            "arn:aws:s3:::${x}",
            "arn:aws:s3:::${aws:x, y}",
        ] {
            let permission = Permission {
                action: Some("lambda:InvokeFunction".to_owned()),
                principal: Some("s3.amazonaws.com".to_owned()),
                source_arn: Some(source.to_owned()),
                ..Permission::default()
            };
            let statement = permission.statement(F).unwrap();
            let refused = add(&mut ResourcePolicy::default(), statement).unwrap_err();
            assert_eq!(refused.code, "InvalidParameterValueException", "{source}");
        }
    }

    #[test]
    fn nobody_is_no_principal() {
        for text in [
            "",
            "bob",
            "arn:aws:s3:::b",
            "1234",
            "arn:aws:iam::1:root",
            "a b.com",
            "invalid.nonaws.com",
            "S3.amazonaws.com",
            "arn:aws:iam::123456789012:group/g",
            "arn:aws-cn:iam::123456789012:root",
            "AROAEXAMPLEEXAMPLE01",
        ] {
            assert!(principal(text).is_err(), "{text}");
        }
    }
}
