//! Who asks, and whether a policy's `Principal` means them.

/// Who asks, as policies see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller<'c> {
    /// Nobody signed.
    Anonymous,
    /// A service of AWS's: `s3.amazonaws.com`.
    Service(&'c str),
    /// An account itself.
    Root {
        /// Its number.
        account: &'c str,
    },
    /// A user.
    User {
        /// Their account.
        account: &'c str,
        /// `arn:aws:iam::…:user/…`.
        arn: &'c str,
    },
    /// A session of a role.
    Session {
        /// The role's account.
        account: &'c str,
        /// `arn:aws:iam::…:role/…`.
        role: &'c str,
        /// `arn:aws:sts::…:assumed-role/…/…`.
        arn: &'c str,
    },
}

/// How directly a policy's `Principal` means somebody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Grant {
    /// Not at all.
    None,
    /// It means their account, which is left to say for itself who of its people may.
    Account,
    /// It means them among others: everybody, or all sessions of their role.
    Broad,
    /// It means them alone.
    Exact,
}

/// One entry of `Principal`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Principal {
    Anyone,
    /// A whole account.
    Account(String),
    /// A user, a role, a session.
    Arn(String),
    Service(String),
    /// Federated users, whom nobody here can be.
    Federated,
}

impl Principal {
    /// Reads one value of `AWS`: `*`, an account's number, or an ARN.
    pub(crate) fn aws(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Anyone);
        }
        if is_account(text) {
            return Some(Self::Account(text.to_owned()));
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", "aws", "iam", "", account, "root"] if is_account(account) => {
                Some(Self::Account((*account).to_owned()))
            }
            ["arn", "aws", service, "", account, name]
                if is_account(account) && is_named(service, name) =>
            {
                Some(Self::Arn(text.to_owned()))
            }
            _ => None,
        }
    }

    /// How directly it means `caller`.
    pub(crate) fn grant(&self, caller: &Caller<'_>) -> Grant {
        match (self, caller) {
            (Self::Anyone, _) => Grant::Broad,
            (Self::Service(name), Caller::Service(service)) if name == service => Grant::Exact,
            (Self::Account(number), Caller::Root { account }) if number == account => Grant::Exact,
            (
                Self::Account(number),
                Caller::User { account, .. } | Caller::Session { account, .. },
            ) if number == account => Grant::Account,
            (Self::Arn(name), Caller::User { arn, .. } | Caller::Session { arn, .. })
                if name == arn =>
            {
                Grant::Exact
            }
            (Self::Arn(name), Caller::Session { role, .. }) if name == role => Grant::Broad,
            _ => Grant::None,
        }
    }
}

impl Caller<'_> {
    /// Their account, if they have one.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Anonymous | Self::Service(_) => None,
            Self::Root { account } | Self::User { account, .. } | Self::Session { account, .. } => {
                Some(account)
            }
        }
    }

    /// As refusals name them.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Service(name) => (*name).to_owned(),
            Self::Root { account } => format!("arn:aws:iam::{account}:root"),
            Self::User { arn, .. } | Self::Session { arn, .. } => (*arn).to_owned(),
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The last part of an ARN of somebody who can ask for something: of groups there are none. Wildcards
/// have no meaning in there, but for `*` alone.
fn is_named(service: &str, name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let known = match (service, parts.as_slice()) {
        ("iam", ["user" | "role", .., last]) => !last.is_empty(),
        ("sts", ["assumed-role", role, session]) => !role.is_empty() && !session.is_empty(),
        ("sts", ["federated-user", user]) => !user.is_empty(),
        _ => false,
    };
    known && !name.contains(['*', '?', ' ', '$'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Caller<'_> = Caller::User {
        account: "111111111111",
        arn: "arn:aws:iam::111111111111:user/u",
    };
    const SESSION: Caller<'_> = Caller::Session {
        account: "111111111111",
        role: "arn:aws:iam::111111111111:role/p/r",
        arn: "arn:aws:sts::111111111111:assumed-role/r/s",
    };

    #[test]
    fn an_entry_means_somebody_more_or_less_directly() {
        let root = Caller::Root {
            account: "111111111111",
        };
        for (text, caller, expected) in [
            ("*", USER, Grant::Broad),
            ("*", Caller::Anonymous, Grant::Broad),
            ("111111111111", USER, Grant::Account),
            ("arn:aws:iam::111111111111:root", SESSION, Grant::Account),
            ("111111111111", root, Grant::Exact),
            ("222222222222", root, Grant::None),
            ("222222222222", USER, Grant::None),
            ("111111111111", Caller::Anonymous, Grant::None),
            ("arn:aws:iam::111111111111:user/u", USER, Grant::Exact),
            ("arn:aws:iam::111111111111:user/v", USER, Grant::None),
            ("arn:aws:iam::111111111111:role/p/r", SESSION, Grant::Broad),
            ("arn:aws:iam::111111111111:role/r", SESSION, Grant::None),
            (
                "arn:aws:sts::111111111111:assumed-role/r/s",
                SESSION,
                Grant::Exact,
            ),
        ] {
            let principal = Principal::aws(text).unwrap();
            assert_eq!(principal.grant(&caller), expected, "{text} {caller:?}");
        }
        let service = Principal::Service("s3.amazonaws.com".to_owned());
        assert_eq!(
            service.grant(&Caller::Service("s3.amazonaws.com")),
            Grant::Exact
        );
        assert_eq!(service.grant(&USER), Grant::None);
    }

    #[test]
    fn what_names_nobody_is_no_principal() {
        for text in [
            "",
            "1",
            "bob",
            "arn:aws:iam::111111111111:user/*",
            "arn:aws:iam::111111111111:user/",
            "arn:aws:iam::1:root",
            "arn:aws:lambda:us-east-1:111111111111:function:f",
            "arn:aws:iam::111111111111:group/g",
            "arn:aws:iam::111111111111:user",
            "arn:aws:sts::111111111111:user/u",
            "arn:aws:sts::111111111111:assumed-role/r",
            "arn:aws:sts::111111111111:assumed-role/r/s/t",
            "arn:aws-cn:iam::111111111111:root",
            "AROAEXAMPLEEXAMPLE01",
        ] {
            assert_eq!(Principal::aws(text), None, "{text}");
        }
    }
}
