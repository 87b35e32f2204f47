//! ARNs of execution roles.

use crate::AccountId;

/// A role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleArn<'t> {
    /// Whose it is.
    pub account: AccountId,
    /// Its name, without its path.
    pub name: &'t str,
}

impl<'t> RoleArn<'t> {
    /// Reads `arn:aws:iam::123456789012:role/path/name`.
    pub fn parse(text: &'t str) -> Option<Self> {
        let rest = text.strip_prefix("arn:")?;
        let (partition, rest) = rest.split_once(":iam::")?;
        let partition_is_fine = partition.is_empty()
            || partition.strip_prefix("aws").is_some_and(|rest| {
                rest.bytes()
                    .all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
            });
        let (account, role) = rest.split_once(":role")?;
        let account = AccountId::new(account).ok()?;
        let path = role.strip_prefix('/').unwrap_or(role);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte);
        if !partition_is_fine || path.is_empty() || !path.bytes().all(allowed) {
            return None;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        Some(Self { account, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arns_are_read_as_the_model_has_them() {
        let name = |text| RoleArn::parse(text).map(|role| role.name.to_owned());
        assert_eq!(
            name("arn:aws:iam::000000000000:role/r").as_deref(),
            Some("r")
        );
        assert_eq!(
            name("arn:aws-cn:iam::000000000000:role/a/b/r").as_deref(),
            Some("r")
        );
        for bad in [
            "r",
            "arn:aws:iam::0:role/r",
            "arn:aws:iam::000000000000:user/r",
            "arn:aws:iam::000000000000:role/",
            "arn:aws:iam::000000000000:role/a b",
            "arn:gcp:iam::000000000000:role/r",
        ] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }
}
