//! What a member or a field is compared with.

use regex::Regex;

use super::lexer::Token;
use super::{Error, compile};

/// How to compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What to compare with.
#[derive(Debug)]
pub(in super::super) enum Value {
    /// A text in which `*` stands for any characters.
    Text(String),
    /// A number, and as it was written.
    Number(f64, String),
    Regex(Regex),
}

impl Comparison {
    pub(super) fn parse(sign: &str) -> Option<Self> {
        Some(match sign {
            "=" => Self::Equal,
            "!=" => Self::Unequal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Value {
    /// From the word behind a comparison.
    pub(super) fn parse(token: Option<Token>) -> Result<Self, Error> {
        match token {
            Some(Token::Quoted(text)) => Ok(Self::Text(text)),
            Some(Token::Regex(regex)) => compile(&regex).map(Self::Regex),
            Some(Token::Word(word)) => Ok(match word.parse::<f64>() {
                Ok(number) if number.is_finite() => Self::Number(number, word),
                _ => Self::Text(word),
            }),
            _ => Err(Error::Syntax {
                why: "a value is missing",
            }),
        }
    }

    /// Whether texts can be compared in this way: they have no order.
    pub(super) fn check(&self, comparison: Comparison) -> Result<(), Error> {
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::Unequal);
        match (self, ordered) {
            (Self::Number(..), _) | (_, false) => Ok(()),
            _ => Err(Error::Syntax {
                why: "only numbers can be less or greater",
            }),
        }
    }

    /// Compares a text with it.
    pub(super) fn compare_text(&self, text: &str, comparison: Comparison) -> bool {
        let equal = match self {
            Self::Text(pattern) => matches_wildcards(pattern, text),
            Self::Regex(regex) => regex.is_match(text),
            Self::Number(number, written) => {
                return match text.parse::<f64>() {
                    Ok(told) => comparison.holds(told, *number),
                    Err(_) => {
                        (text == written) == (comparison == Comparison::Equal)
                            && matches!(comparison, Comparison::Equal | Comparison::Unequal)
                    }
                };
            }
        };
        equal == (comparison == Comparison::Equal)
    }

    /// Compares a number with it.
    pub(super) fn compare_number(&self, told: f64, comparison: Comparison) -> bool {
        match self {
            Self::Number(number, _) => comparison.holds(told, *number),
            _ => self.compare_text(&told.to_string(), comparison),
        }
    }
}

/// Whether a text matches a pattern with stars.
fn matches_wildcards(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("ab*bc", "abc", false),
            ("**", "x", true),
        ] {
            assert_eq!(
                matches_wildcards(pattern, text),
                expected,
                "{pattern} {text}"
            );
        }
    }
}
