//! May this caller do this? The whole of authorisation until policies exist.
//!
//! An account's root may do everything with what the account owns; a role's session may do what
//! the operator's list of actions says. Nobody may do anything in another account.

use types::AccountId;

use crate::error::ApiError;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'c> {
    /// Their account.
    pub account: &'c AccountId,
    /// As refusals name them.
    pub arn: &'c str,
    /// Whether they are the account itself, and no session of a role.
    pub root: bool,
}

/// Decides whether `caller` may do `action` (`lambda:GetFunction`) to the resource named
/// `resource` (an ARN, or `*`) that `owner` has. `role_actions` are the patterns of what sessions
/// of roles may do, `*` and `?` as in policies.
pub fn check(
    caller: Caller<'_>,
    role_actions: &[String],
    action: &str,
    owner: &AccountId,
    resource: &str,
) -> Result<(), ApiError> {
    if caller.account != owner {
        return Err(denied(
            caller.arn,
            action,
            resource,
            "no resource-based policy",
        ));
    }
    if caller.root
        || role_actions
            .iter()
            .any(|pattern| matches_pattern(pattern, action))
    {
        return Ok(());
    }
    Err(denied(
        caller.arn,
        action,
        resource,
        "no identity-based policy",
    ))
}

fn denied(caller: &str, action: &str, resource: &str, because: &str) -> ApiError {
    ApiError::access_denied(format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource} because \
         {because} allows the {action} action"
    ))
}

/// Whether `action` is one that `pattern` speaks of: `*` stands for any text, `?` for any one
/// character, and case makes no difference.
pub fn matches_pattern(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    // Where to go back to: the last star, and how much of the action it has taken so far.
    let (mut p, mut a, mut star) = (0, 0, None);
    while a < action.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, a));
                p += 1;
            }
            Some(byte) if *byte == b'?' || byte.eq_ignore_ascii_case(&action[a]) => {
                p += 1;
                a += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, a) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_policies() {
        for (pattern, action, expected) in [
            ("lambda:InvokeFunction", "lambda:InvokeFunction", true),
            ("lambda:invokefunction", "lambda:InvokeFunction", true),
            ("lambda:Invoke*", "lambda:InvokeFunction", true),
            ("lambda:*Function", "lambda:InvokeFunction", true),
            ("*", "lambda:InvokeFunction", true),
            ("lambda:Get?unction", "lambda:GetFunction", true),
            ("lambda:Get", "lambda:GetFunction", false),
            ("lambda:*Alias", "lambda:InvokeFunction", false),
            ("", "lambda:InvokeFunction", false),
            ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(
                matches_pattern(pattern, action),
                expected,
                "{pattern} {action}"
            );
        }
    }

    #[test]
    fn root_may_all_in_its_account_and_a_role_what_is_listed() {
        let (own, other) = (
            AccountId::new("000000000000").unwrap(),
            AccountId::new("111111111111").unwrap(),
        );
        let caller = |root| Caller {
            account: &own,
            arn: "arn:x",
            root,
        };
        let action = "lambda:GetFunction";
        assert!(check(caller(true), &[], action, &own, "arn:f").is_ok());
        assert!(
            check(
                caller(false),
                &["lambda:Get*".to_owned()],
                action,
                &own,
                "arn:f"
            )
            .is_ok()
        );
        let error = check(caller(false), &[], action, &own, "arn:f").unwrap_err();
        assert_eq!(
            error.message,
            "User: arn:x is not authorized to perform: lambda:GetFunction on resource: arn:f because \
             no identity-based policy allows the lambda:GetFunction action"
        );
        assert_eq!(error.status, 403);
        let error = check(caller(true), &[], action, &other, "arn:f").unwrap_err();
        assert!(
            error
                .message
                .ends_with("no resource-based policy allows the lambda:GetFunction action")
        );
    }
}
