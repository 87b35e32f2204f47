//! What condition operators compare, and how. A value that is not of the operator's kind cannot be
//! compared: in a policy it is refused, and what that means for a request's is for its condition to say.

mod values;

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::glob::{Filled, Reach, Steps, matches};
use types::Net;
use values::{date, is_arn, number, truth};

/// An operator without its quantifier and `IfExists`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Operator {
    pub(super) test: Test,
    /// The `Not…` operators: the test must fail for every value of the policy.
    pub(super) negated: bool,
}

/// How a value of the request is compared with one of the policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Test {
    Text,
    TextAnyCase,
    Wild,
    Number(Order),
    Date(Order),
    Bool,
    Bytes,
    Address,
    Arn,
    /// Whether there is a value at all; decided where the values are looked up.
    Null,
}

/// Which of the orderings of request and policy are right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Every operator, in lower case.
const OPERATORS: &[(&str, Test, bool)] = &[
    ("stringequals", Test::Text, false),
    ("stringnotequals", Test::Text, true),
    ("stringequalsignorecase", Test::TextAnyCase, false),
    ("stringnotequalsignorecase", Test::TextAnyCase, true),
    ("stringlike", Test::Wild, false),
    ("stringnotlike", Test::Wild, true),
    ("numericequals", Test::Number(Order::Equal), false),
    ("numericnotequals", Test::Number(Order::Equal), true),
    ("numericlessthan", Test::Number(Order::Less), false),
    (
        "numericlessthanequals",
        Test::Number(Order::LessOrEqual),
        false,
    ),
    ("numericgreaterthan", Test::Number(Order::Greater), false),
    (
        "numericgreaterthanequals",
        Test::Number(Order::GreaterOrEqual),
        false,
    ),
    ("dateequals", Test::Date(Order::Equal), false),
    ("datenotequals", Test::Date(Order::Equal), true),
    ("datelessthan", Test::Date(Order::Less), false),
    ("datelessthanequals", Test::Date(Order::LessOrEqual), false),
    ("dategreaterthan", Test::Date(Order::Greater), false),
    (
        "dategreaterthanequals",
        Test::Date(Order::GreaterOrEqual),
        false,
    ),
    ("bool", Test::Bool, false),
    ("binaryequals", Test::Bytes, false),
    ("ipaddress", Test::Address, false),
    ("notipaddress", Test::Address, true),
    ("arnequals", Test::Arn, false),
    ("arnlike", Test::Arn, false),
    ("arnnotequals", Test::Arn, true),
    ("arnnotlike", Test::Arn, true),
    ("null", Test::Null, false),
];
/// Bytes of a value that is a number, a date, a truth or an address, at most; longer ones are none.
const VALUE_BYTES_MAX: usize = 64;

impl Operator {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let found = OPERATORS.iter().find(|(known, ..)| *known == name)?;
        Some(Self {
            test: found.1,
            negated: found.2,
        })
    }
}

impl Test {
    /// Whether its values may have variables: "a policy variable can be used […] in any condition that
    /// involves the string operators or the ARN operators", not with others (IAM user guide, policy
    /// variables).
    pub(super) fn has_variables(self) -> bool {
        matches!(
            self,
            Self::Text | Self::TextAnyCase | Self::Wild | Self::Arn
        )
    }

    /// Whether a value of a policy, as it is written, is one that can be compared with.
    pub(super) fn understands(self, value: &str) -> bool {
        if !matches!(
            self,
            Self::Text | Self::TextAnyCase | Self::Wild | Self::Arn | Self::Bytes
        ) && value.len() > VALUE_BYTES_MAX
        {
            return false;
        }
        match self {
            Self::Text | Self::TextAnyCase | Self::Wild => true,
            Self::Number(_) => number(value).is_some(),
            Self::Date(_) => date(value).is_some(),
            Self::Bool | Self::Null => truth(value).is_some(),
            Self::Bytes => BASE64.decode(value).is_ok(),
            Self::Address => Net::parse(value).is_some(),
            Self::Arn => is_arn(value),
        }
    }

    /// Whether the request's value is what the policy's one asks for; `None` if they cannot be
    /// compared, one of them not being of the operator's kind.
    pub(super) fn is_met(self, given: &str, wanted: &Filled<'_>, steps: &Steps) -> Option<bool> {
        let short = || {
            let literal = wanted.literal(VALUE_BYTES_MAX)?;
            steps.take(VALUE_BYTES_MAX).then_some(literal)
        };
        Some(match self {
            Self::Text => wanted.is(given, steps),
            Self::TextAnyCase => {
                // A character's other case has at most three times its bytes.
                let literal = wanted.literal(given.len().saturating_mul(3));
                literal.is_some_and(|literal| {
                    steps.take(literal.len() + given.len())
                        && literal.to_lowercase() == given.to_lowercase()
                })
            }
            Self::Wild => matches(wanted, given, Reach::Text, steps),
            Self::Number(order) => order.holds(&number(given)?, &number(&short()?)?),
            Self::Date(order) => order.holds(&date(given)?, &date(&short()?)?),
            Self::Bool => truth(given)? == truth(&short()?)?,
            Self::Bytes => {
                let given = BASE64.decode(given).ok()?;
                // What is longer is another.
                let wanted = wanted.literal(given.len().saturating_mul(2).saturating_add(8));
                match wanted {
                    None => false,
                    Some(wanted) => {
                        steps.take(wanted.len()) && given == BASE64.decode(wanted).ok()?
                    }
                }
            }
            Self::Address => Net::parse(&short()?)?.has(given.parse().ok()?),
            Self::Arn => {
                let is_arn = wanted.starts_with("arn:") || wanted.is_everything();
                if !given.starts_with("arn:") || !is_arn {
                    return None;
                }
                matches(wanted, given, Reach::Components, steps)
            }
            Self::Null => return None,
        })
    }
}

impl Order {
    fn holds<T: PartialOrd>(self, given: &T, wanted: &T) -> bool {
        let ordering = given.partial_cmp(wanted);
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_of_the_operators_kind() {
        use Order::Equal;
        for (test, yes, no) in [
            (
                Test::Number(Equal),
                vec!["0", "-1.5", "1e3", "18446744073709551616"],
                vec![
                    "", "x", "NaN", "inf", "infinity", "0x10", "1,5", " 1", "1e999",
                ],
            ),
            (
                Test::Date(Equal),
                vec![
                    "2026",
                    "2026-05",
                    "2026-05-01",
                    "2026-05-01T10:00Z",
                    "2026-05-01T10:00:00Z",
                    "2026-05-01T10:00:00.5+02:00",
                    "1777593600",
                    "1777593600.5",
                    "-10000",
                ],
                vec![
                    "",
                    "1 January 2020",
                    "infinity",
                    "NaN",
                    "2026-13-01",
                    "2026-05-01 10:00:00Z",
                    "2026-05-01T10:00:00",
                    "2026-05-01T10:00:00+02:00[Europe/Berlin]",
                    "soon",
                    "20x6",
                ],
            ),
            (
                Test::Bool,
                vec!["true", "False"],
                vec!["no", "yes", "1", ""],
            ),
            (Test::Null, vec!["true", "false"], vec!["null", ""]),
            (Test::Bytes, vec!["", "AQI="], vec!["AQI", "?", "A=="]),
            (
                Test::Address,
                vec![
                    "10.0.0.0/8",
                    "10.1.2.3",
                    "2001:db8::/32",
                    "::ffff:10.0.0.0/104",
                    "::/0",
                ],
                vec![
                    "",
                    "localhost",
                    "127.0.0.1-127.0.0.255",
                    "10.0.0.0/33",
                    "10.0.0.0/+8",
                    "10.0.0/8",
                    "10.*",
                    "10.0.0.0/",
                    "::/129",
                ],
            ),
            (
                Test::Arn,
                vec!["*", "arn:aws:s3:::b", "arn:aws:s3:*", "arn:*:*:*:*:*"],
                vec!["", "b", "arn:aws:s3", "*b", "ARN:aws:s3:::b", "arn"],
            ),
        ] {
            for value in yes {
                assert!(test.understands(value), "{test:?} {value}");
            }
            for value in no {
                assert!(!test.understands(value), "{test:?} {value}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_value_makes_a_test_panic(given in "[0-9A-Za-z:./Z+ä-]{0,24}", wanted in "[0-9A-Za-z:./Z+ä-]{0,24}") {
            let pattern = crate::glob::Pattern::parse(&wanted, false).unwrap();
            let context = crate::Context::new();
            let filled = pattern.fill(&context).unwrap();
            for (_, test, _) in OPERATORS {
                test.is_met(&given, &filled, &Steps::new(10_000));
                test.understands(&wanted);
            }
        }
    }
}
