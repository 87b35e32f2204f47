//! What condition operators compare, and how. A value that is not of the operator's kind equals
//! nothing.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::glob::{Token, Tokens, matches, matches_arn};

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
/// An ARN in a condition has six parts; the last may have colons of its own.
const ARN_PARTS: usize = 6;

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
    /// Whether the request's value is what the policy's one asks for.
    pub(super) fn is_met(self, given: &str, wanted: &Tokens<'_>) -> bool {
        let literal = || String::from_utf8(wanted.literal()).unwrap_or_default();
        match self {
            Self::Text => wanted.literal() == given.as_bytes(),
            Self::TextAnyCase => literal().to_lowercase() == given.to_lowercase(),
            Self::Wild => matches(wanted, given, false),
            Self::Number(order) => order.holds(number(given), number(&literal())),
            Self::Date(order) => order.holds(date(given), date(&literal())),
            Self::Bool => literal().eq_ignore_ascii_case(given),
            Self::Bytes => match (BASE64.decode(given), BASE64.decode(wanted.literal())) {
                (Ok(given), Ok(wanted)) => given == wanted,
                _ => false,
            },
            Self::Address => is_within(given, &literal()).unwrap_or(false),
            Self::Arn => is_arn(wanted) && matches_arn(wanted, given, ARN_PARTS),
            Self::Null => false,
        }
    }
}

impl Order {
    fn holds<T: PartialOrd>(self, given: Option<T>, wanted: Option<T>) -> bool {
        let (Some(given), Some(wanted)) = (given, wanted) else {
            return false;
        };
        let ordering = given.partial_cmp(&wanted);
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Seconds since 1970: from that number itself, or from the forms of ISO 8601 that the W3C lists,
/// from the year alone to fractions of a second.
fn date(text: &str) -> Option<f64> {
    if text.len() > 4
        && let Ok(seconds) = text.parse::<f64>()
    {
        return Some(seconds);
    }
    let full = match text.len() {
        4 => format!("{text}-01-01T00:00:00Z"),
        7 => format!("{text}-01T00:00:00Z"),
        10 => format!("{text}T00:00:00Z"),
        17 if text.ends_with('Z') => format!("{}:00Z", &text[..16]),
        _ => text.to_owned(),
    };
    let time: jiff::Timestamp = full.parse().ok()?;
    Some(time.as_microsecond() as f64 / 1e6)
}

/// Whether an address is the one, or within the net, that `net` says.
fn is_within(address: &str, net: &str) -> Option<bool> {
    let address: IpAddr = address.parse().ok()?;
    let (base, bits) = match net.split_once('/') {
        Some((base, bits)) => (base, Some(bits.parse::<u32>().ok()?)),
        None => (net, None),
    };
    // An IPv4 address may have come over an IPv6 socket.
    match (address.to_canonical(), base.parse().ok()?) {
        (IpAddr::V4(address), IpAddr::V4(base)) => {
            let free = 32_u32.checked_sub(bits.unwrap_or(32))?;
            let mask = u32::MAX.checked_shl(free).unwrap_or(0);
            Some((address.to_bits() ^ base.to_bits()) & mask == 0)
        }
        (IpAddr::V6(address), IpAddr::V6(base)) => {
            let free = 128_u32.checked_sub(bits.unwrap_or(128))?;
            let mask = u128::MAX.checked_shl(free).unwrap_or(0);
            Some((address.to_bits() ^ base.to_bits()) & mask == 0)
        }
        _ => Some(false),
    }
}

fn is_arn(tokens: &[Token]) -> bool {
    tokens.starts_with(&[b'a', b'r', b'n', b':'].map(Token::Byte)) || tokens == [Token::Any]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_value_makes_a_test_panic(given in "[0-9A-Za-z:./Z+ä-]{0,24}", wanted in "[0-9A-Za-z:./Z+ä-]{0,24}") {
            let pattern = crate::glob::Pattern::parse(&wanted, false).unwrap();
            let tokens = pattern.expand(&crate::Context::new()).unwrap();
            for (_, test, _) in OPERATORS {
                test.is_met(&given, &tokens);
            }
        }

        #[test]
        fn an_address_is_within_every_net_made_of_it(bits in any::<u32>(), length in 0_u32..=32) {
            let address = std::net::Ipv4Addr::from_bits(bits);
            let base = std::net::Ipv4Addr::from_bits(bits & u32::MAX.checked_shl(32 - length).unwrap_or(0));
            prop_assert_eq!(is_within(&address.to_string(), &format!("{base}/{length}")), Some(true));
        }
    }
}
