//! What condition operators compare, and how. A value that is not of the operator's kind cannot be
//! compared: in a policy it is refused, and what that means for a request's is for its condition to say.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::glob::{Filled, Reach, Steps, matches};

/// An operator without its quantifier and `IfExists`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Operator {
    pub(super) test: Test,
    /// The `Not…` operators: the test must fail for every value of the policy.
    pub(super) negated: bool,
}

/// How a value of the request is held against one of the policy.
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

/// `true` or `false`, in any case.
fn truth(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Digits with a sign and a fraction, as JSON has numbers: no words, no hexadecimals.
fn number(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !text.bytes().all(plain) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Seconds since 1970: from that number itself, or from the forms of ISO 8601 that the W3C lists,
/// from the year alone to fractions of a second.
fn date(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+-.:TZ".contains(&byte);
    if !text.bytes().all(plain) {
        return None;
    }
    let is_number = text
        .strip_prefix('-')
        .unwrap_or(text)
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number && text.len() > 4 {
        return number(text);
    }
    let full = match text.len() {
        4 => format!("{text}-01-01T00:00:00Z"),
        7 => format!("{text}-01T00:00:00Z"),
        10 => format!("{text}T00:00:00Z"),
        17 if text.ends_with('Z') => format!("{}:00Z", text.get(..16)?),
        _ => text.to_owned(),
    };
    let time: jiff::Timestamp = full.parse().ok()?;
    Some(time.as_microsecond() as f64 / 1e6)
}

/// Addresses that begin alike: `10.0.0.0/8`, or one alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Net {
    base: IpAddr,
    bits: u32,
}

impl Net {
    fn parse(text: &str) -> Option<Self> {
        let (base, bits) = match text.split_once('/') {
            None => (text, None),
            Some((base, bits)) => {
                let plain = bits.bytes().all(|byte| byte.is_ascii_digit());
                (base, Some(bits.parse().ok().filter(|_| plain)?))
            }
        };
        let base: IpAddr = base.parse().ok()?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return None;
        }
        // IPv4 addresses written as IPv6 ones: requests' are not.
        Some(match base.to_canonical() {
            base @ IpAddr::V4(_) if width == 128 && bits >= 96 => Self {
                base,
                bits: bits - 96,
            },
            _ => Self { base, bits },
        })
    }

    fn has(self, address: IpAddr) -> bool {
        // An IPv4 address may have come over an IPv6 socket.
        match (address.to_canonical(), self.base) {
            (IpAddr::V4(address), IpAddr::V4(base)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                (address.to_bits() ^ base.to_bits()) & mask == 0
            }
            (address, IpAddr::V6(base)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                let address = match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                (address.to_bits() ^ base.to_bits()) & mask == 0
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// `*`, or six components after `arn`, of which a star at the end may stand for the last ones.
fn is_arn(text: &str) -> bool {
    let whole = text.splitn(6, ':').count() == 6;
    text == "*" || (text.starts_with("arn:") && (whole || text.ends_with('*')))
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

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        for (net, address, expected) in [
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::/0", "10.1.2.3", true),
            ("::ffff:0:0/95", "10.1.2.3", true),
            ("2001:db8::/32", "10.1.2.3", false),
            ("0.0.0.0/0", "2001:db8::1", false),
        ] {
            let net = Net::parse(net).unwrap();
            assert_eq!(
                net.has(address.parse().unwrap()),
                expected,
                "{net:?} {address}"
            );
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

        #[test]
        fn an_address_is_within_every_net_made_of_it(bits in any::<u32>(), length in 0_u32..=32) {
            let address = std::net::Ipv4Addr::from_bits(bits);
            let base = std::net::Ipv4Addr::from_bits(bits & u32::MAX.checked_shl(32 - length).unwrap_or(0));
            let net = Net::parse(&format!("{base}/{length}")).unwrap();
            prop_assert!(net.has(address.into()));
        }
    }
}
