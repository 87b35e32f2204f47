//! Session policies: policies that limit a session, and how large they may be.

use http::StatusCode;
use policy::{Form, Policy};
use records::iam::{ManagedPolicy, policy_row};
use types::{AccountId, ForCallers as _};
use wire::query::{Query, QueryError};

use super::{Sts, error};
use crate::iam::managed;
use crate::keys::Given;

/// Characters of policy and ARNs together (AWS).
const PLAIN_CHARACTERS_MAX: usize = 2_048;
/// Managed policies (AWS).
const POLICIES_MAX: usize = 10;
/// Bytes of policies and tags together, as the token holds them. AWS does not publish its own bound;
/// this one keeps tokens well below what clients and proxies accept as one header.
const PACKED_BYTES_MAX: usize = 4_096;

fn malformed(message: String) -> QueryError {
    error(StatusCode::BAD_REQUEST, "MalformedPolicyDocument", message)
}

impl Sts {
    /// Reads `Policy` and `PolicyArns` for a session of a role of that account.
    pub(super) async fn policies(
        &self,
        query: &Query,
        account: &AccountId,
    ) -> Result<Given, QueryError> {
        let mut given = Given::default();
        let mut plain = 0;
        if let Some(text) = query.parameter("Policy") {
            plain += text.chars().count();
            Policy::parse(text, Form::Identity).map_err(|error| malformed(error.told()))?;
            let value = serde_json::from_str::<serde_json::Value>(text);
            // Kept without its white space.
            given.policy = value.ok().map(|value| value.to_string());
        }
        let arns = query.list("PolicyArns");
        if arns.len() > POLICIES_MAX {
            let message =
                format!("A session cannot have more than {POLICIES_MAX} managed policies.");
            return Err(QueryError::validation(message));
        }
        for item in arns {
            let arn = item.get("arn").copied().unwrap_or_default();
            plain += arn.chars().count();
            let id = self.managed_id(arn, account).await?;
            let id = id.ok_or_else(|| {
                malformed(format!("Policy {arn} does not exist or is not attachable."))
            })?;
            given.managed.insert(arn.to_owned(), id);
        }
        match percent(plain, PLAIN_CHARACTERS_MAX) {
            over if over > 100 => Err(too_large(over)),
            _ => Ok(given),
        }
    }

    /// The id of a managed policy that a session in that account can have; AWS's own have none.
    async fn managed_id(
        &self,
        arn: &str,
        account: &AccountId,
    ) -> Result<Option<String>, QueryError> {
        if managed(arn).is_some() {
            return Ok(Some(String::new()));
        }
        let Some(row) = policy_row(arn) else {
            return Ok(None);
        };
        let found = self.rows.get::<ManagedPolicy>(&row).await;
        let found = found.map_err(|_| QueryError::unavailable())?;
        let found = found.map(|(policy, _)| policy);
        let found = found.filter(|policy| policy.arn() == arn && policy.account == *account);
        Ok(found.map(|policy| policy.id))
    }
}

/// `PackedPolicySize`: which share of what a session may hold it does hold, in percent. `None` if
/// nothing was given.
pub(super) fn packed_size(given: &Given) -> Result<Option<usize>, QueryError> {
    if given.policy.is_none() && given.managed.is_empty() && given.tags.is_empty() {
        return Ok(None);
    }
    let packed = serde_json::to_vec(given).expect("a struct of texts has a JSON form");
    match percent(packed.len(), PACKED_BYTES_MAX) {
        over if over > 100 => Err(too_large(over)),
        size => Ok(Some(size)),
    }
}

fn percent(size: usize, max: usize) -> usize {
    (size * 100).div_ceil(max)
}

fn too_large(percent: usize) -> QueryError {
    let message =
        format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
    error(StatusCode::BAD_REQUEST, "PackedPolicyTooLarge", message)
}
