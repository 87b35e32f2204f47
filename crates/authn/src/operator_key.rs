//! The operator's key to other services, and on whose behalf it may be used.
//!
//! Where one is configured it signs what is sent for functions, and other services see the operator. So
//! it is asked here first: a function may use its own account's resources, and those that the operator
//! lists in addition. A bucket's name has no account in it: the operator says whose it is, unless there
//! is only one account.

use std::collections::{BTreeMap, BTreeSet};

use types::AccountId;

/// What is reached with the key.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct OperatorKey {
    /// Accounts whose queues, topics and buses functions of every account may use.
    pub shared_accounts: BTreeSet<AccountId>,
    /// Who may use which bucket.
    pub buckets: BTreeMap<String, BTreeSet<AccountId>>,
    /// The account of the installation, if it has one alone: it may use all buckets that are not
    /// named.
    pub only_account: Option<AccountId>,
}

impl OperatorKey {
    /// Whether it may be used for `resource`, an ARN, on behalf of `account`.
    pub fn reaches(&self, account: &AccountId, resource: &str) -> bool {
        let parts: Vec<&str> = resource.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", "aws", "s3", "", "", object] => {
                let bucket = object.split('/').next().unwrap_or_default();
                match self.buckets.get(bucket) {
                    Some(accounts) => accounts.contains(account),
                    None => self.only_account.as_ref() == Some(account),
                }
            }
            ["arn", "aws", _, _, owner, _] => {
                let is_shared = |shared: &AccountId| shared.as_str() == *owner;
                account.as_str() == *owner || self.shared_accounts.iter().any(is_shared)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(text: &str) -> AccountId {
        AccountId::new(text).unwrap()
    }

    #[test]
    fn a_function_uses_what_its_account_has_and_what_the_operator_lists() {
        let (one, two) = (account("111111111111"), account("222222222222"));
        let mut key = OperatorKey {
            shared_accounts: BTreeSet::from([account("333333333333")]),
            buckets: BTreeMap::from([("b".to_owned(), BTreeSet::from([two.clone()]))]),
            only_account: None,
        };
        for (resource, first, second) in [
            ("arn:aws:sqs:us-east-1:111111111111:q", true, false),
            ("arn:aws:sns:us-east-1:222222222222:t", false, true),
            (
                "arn:aws:events:us-east-1:333333333333:event-bus/b",
                true,
                true,
            ),
            ("arn:aws:s3:::b", false, true),
            ("arn:aws:s3:::b/a/key", false, true),
            ("arn:aws:s3:::bb", false, false),
            (
                "arn:aws:s3:us-east-1:111111111111:accesspoint/b",
                true,
                false,
            ),
            ("arn:aws:sqs:us-east-1::q", false, false),
            ("q", false, false),
        ] {
            assert_eq!(key.reaches(&one, resource), first, "{resource}");
            assert_eq!(key.reaches(&two, resource), second, "{resource}");
        }
        // Whose is a bucket where everything is one account's?
        key.only_account = Some(one.clone());
        assert!(key.reaches(&one, "arn:aws:s3:::bb/key"));
        assert!(!key.reaches(&two, "arn:aws:s3:::bb/key"));
        assert!(!key.reaches(&one, "arn:aws:s3:::b/key"), "another's");
    }
}
