//! A pattern, read and checked.
//!
//! ```text
//!   pattern  = { field: pattern | [ matcher, … ], "$or": [ pattern, pattern, … ] }
//!   matcher  = text | number | true | false | null
//!            | {"prefix": text} | {"suffix": text} | {"equals-ignore-case": text}
//!            | {"exists": bool} | {"numeric": [op, number, …]} | {"anything-but": …}
//! ```

use crate::json::Json;

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not a JSON object.
    #[error("a pattern is a JSON object")]
    NoObject,
    /// An object has two members of one name.
    #[error("a pattern has each name once")]
    Twice,
    /// An object or a list without anything in it.
    #[error("`{at}` is empty")]
    Empty {
        /// The field's name.
        at: String,
    },
    /// A leaf that is not a list.
    #[error("`{at}` must be an object or a list")]
    NoList {
        /// The field's name.
        at: String,
    },
    /// A matcher that there is not, or not in this form.
    #[error("`{at}` has a matcher that is not known")]
    Matcher {
        /// The field's name.
        at: String,
    },
}

/// See the module.
#[derive(Clone, PartialEq, Debug)]
pub struct Pattern {
    /// All of these must hold.
    pub(crate) fields: Vec<(String, Condition)>,
    /// Of each of these some alternative must hold.
    pub(crate) alternatives: Vec<Vec<Pattern>>,
}

/// What must be so of one field.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Condition {
    /// Something of what is below.
    Below(Pattern),
    /// One of these must hold.
    AnyOf(Vec<Matcher>),
}

/// What a value must be.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Matcher {
    /// This value; a number as written.
    Exactly(Json),
    Prefix(String),
    Suffix(String),
    /// In small letters.
    IgnoringCase(String),
    Exists(bool),
    /// Between bounds.
    Numeric(Range),
    /// None of these holds.
    Not(Vec<Matcher>),
}

/// Bounds of a number. Equality is both.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Range {
    pub(crate) above: Option<Bound>,
    pub(crate) below: Option<Bound>,
}

/// One end of a range.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Bound {
    pub(crate) value: f64,
    pub(crate) included: bool,
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if types::json::check(text.as_bytes()).is_err_and(|error| error.is_data()) {
            return Err(Error::Twice);
        }
        match Json::parse(text) {
            Ok(json @ Json::Object(_)) => Self::read("", &json),
            _ => Err(Error::NoObject),
        }
    }

    /// Whether a field at the top is compared as a text rather than looked into.
    pub fn takes_as_text(&self, field: &str) -> bool {
        let leaf = |(name, condition): &(String, Condition)| {
            name == field && matches!(condition, Condition::AnyOf(_))
        };
        let mut inner = self.alternatives.iter().flatten();
        self.fields.iter().any(leaf) || inner.any(|pattern| pattern.takes_as_text(field))
    }

    fn read(at: &str, json: &Json) -> Result<Self, Error> {
        let Json::Object(members) = json else {
            return Err(Error::NoList { at: at.to_owned() });
        };
        if members.is_empty() {
            return Err(Error::Empty { at: at.to_owned() });
        }
        let mut pattern = Self {
            fields: Vec::new(),
            alternatives: Vec::new(),
        };
        for (name, value) in members {
            match alternatives(name, value) {
                Some(list) => {
                    let read = list.iter().map(|inner| Self::read(name, inner));
                    pattern.alternatives.push(read.collect::<Result<_, _>>()?);
                }
                None => pattern
                    .fields
                    .push((name.clone(), Condition::read(name, value)?)),
            }
        }
        Ok(pattern)
    }
}

/// `$or` with two or more patterns. With anything else in it, it is a field of that name.
fn alternatives<'j>(name: &str, value: &'j Json) -> Option<&'j [Json]> {
    match value {
        Json::List(list) if name == "$or" && list.len() > 1 => {
            let patterns = list.iter().all(|item| matches!(item, Json::Object(_)));
            let matchers = list.iter().all(is_matcher);
            (patterns && !matchers).then_some(list)
        }
        _ => None,
    }
}

fn is_matcher(json: &Json) -> bool {
    Matcher::read("", json).is_ok()
}

impl Condition {
    fn read(at: &str, json: &Json) -> Result<Self, Error> {
        match json {
            Json::Object(_) => Pattern::read(at, json).map(Self::Below),
            Json::List(list) if list.is_empty() => Err(Error::Empty { at: at.to_owned() }),
            Json::List(list) => {
                let matchers = list.iter().map(|item| Matcher::read(at, item));
                matchers.collect::<Result<_, _>>().map(Self::AnyOf)
            }
            _ => Err(Error::NoList { at: at.to_owned() }),
        }
    }
}

impl Matcher {
    fn read(at: &str, json: &Json) -> Result<Self, Error> {
        let unknown = || Error::Matcher { at: at.to_owned() };
        match json {
            Json::List(_) => Err(unknown()),
            Json::Object(members) => {
                let mut members = members.iter();
                match (members.next(), members.next()) {
                    (Some((name, value)), None) => named(name, value).ok_or_else(unknown),
                    _ => Err(unknown()),
                }
            }
            leaf => Ok(Self::Exactly(leaf.clone())),
        }
    }
}

fn named(name: &str, value: &Json) -> Option<Matcher> {
    match (name, value) {
        ("prefix", Json::Text(text)) => Some(Matcher::Prefix(text.clone())),
        ("suffix", Json::Text(text)) => Some(Matcher::Suffix(text.clone())),
        ("equals-ignore-case", Json::Text(text)) => {
            Some(Matcher::IgnoringCase(text.to_lowercase()))
        }
        ("exists", Json::Bool(exists)) => Some(Matcher::Exists(*exists)),
        ("numeric", Json::List(words)) => range(words).map(Matcher::Numeric),
        ("anything-but", value) => anything_but(value),
        _ => None,
    }
}

/// A value, a list of values, or a matcher of a text's ends.
fn anything_but(value: &Json) -> Option<Matcher> {
    let exactly = |json: &Json| match json {
        Json::Text(_) | Json::Number(_) => Some(Matcher::Exactly(json.clone())),
        _ => None,
    };
    let excluded = match value {
        Json::List(list) if !list.is_empty() => list.iter().map(exactly).collect::<Option<_>>()?,
        Json::Object(members) if members.len() == 1 => {
            let (name, inner) = members.first_key_value()?;
            let ends = ["prefix", "suffix", "equals-ignore-case"].contains(&name.as_str());
            vec![named(name, inner).filter(|_| ends)?]
        }
        one => vec![exactly(one)?],
    };
    Some(Matcher::Not(excluded))
}

/// `["=", 5]`, `[">", 5]`, `[">=", 5, "<", 9]`.
fn range(words: &[Json]) -> Option<Range> {
    let mut range = Range::default();
    for pair in words.chunks(2) {
        let [Json::Text(operator), Json::Number(number)] = pair else {
            return None;
        };
        let value: f64 = number
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())?;
        let bound = |included| Some(Bound { value, included });
        match operator.as_str() {
            "=" if words.len() == 2 => {
                range = Range {
                    above: bound(true),
                    below: bound(true),
                };
            }
            ">" | ">=" if range == Range::default() => range.above = bound(operator == ">="),
            "<" | "<=" if range.below.is_none() => range.below = bound(operator == "<="),
            _ => return None,
        }
    }
    let in_order = match (range.above, range.below) {
        (Some(above), Some(below)) if words.len() > 2 => above.value < below.value,
        (None, None) => false,
        _ => true,
    };
    in_order.then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_matcher_is_read() {
        for leaf in [
            r#"null"#,
            r#""""#,
            r#""a""#,
            "5",
            "true",
            r#"{"prefix":"us-"}"#,
            r#"{"suffix":".png"}"#,
            r#"{"equals-ignore-case":"Alice"}"#,
            r#"{"exists":true}"#,
            r#"{"exists":false}"#,
            r#"{"numeric":["=",100]}"#,
            r#"{"numeric":[">",10,"<=",20]}"#,
            r#"{"numeric":["<",1e3]}"#,
            r#"{"anything-but":["Raining",5]}"#,
            r#"{"anything-but":"Raining"}"#,
            r#"{"anything-but":{"prefix":"x"}}"#,
        ] {
            let pattern = format!(r#"{{"body":{{"a":[{leaf}]}}}}"#);
            assert!(Pattern::parse(&pattern).is_ok(), "{pattern}");
        }
        assert!(Pattern::parse(r#"{"$or":[{"a":[1]},{"b":{"c":[2]}}]}"#).is_ok());
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let at = |at: &str| at.to_owned();
        for (text, expected) in [
            ("", Error::NoObject),
            ("[]", Error::NoObject),
            ("\"a\"", Error::NoObject),
            ("{", Error::NoObject),
            (r#"{"a":[1],"b":{"c":[1],"c":[2]}}"#, Error::Twice),
            (r#"{"a":[{"prefix":"a","prefix":"b"}]}"#, Error::Twice),
            ("{}", Error::Empty { at: at("") }),
            (r#"{"a":{}}"#, Error::Empty { at: at("a") }),
            (r#"{"a":[]}"#, Error::Empty { at: at("a") }),
            (r#"{"a":"b"}"#, Error::NoList { at: at("a") }),
            (r#"{"a":{"b":5}}"#, Error::NoList { at: at("b") }),
        ] {
            assert_eq!(Pattern::parse(text), Err(expected), "{text}");
        }
        for leaf in [
            "[1]",
            "{}",
            r#"{"wildcard":"*"}"#,
            r#"{"cidr":"10.0.0.0/8"}"#,
            r#"{"prefix":5}"#,
            r#"{"prefix":"a","suffix":"b"}"#,
            r#"{"exists":"yes"}"#,
            r#"{"numeric":[]}"#,
            r#"{"numeric":[">"]}"#,
            r#"{"numeric":["!",5]}"#,
            r#"{"numeric":["=",5,"=",6]}"#,
            r#"{"numeric":["<",5,">",1]}"#,
            r#"{"numeric":[">",5,"<",5]}"#,
            r#"{"numeric":[">",1,">",2]}"#,
            r#"{"numeric":[">","1"]}"#,
            r#"{"numeric":["<",1e999]}"#,
            r#"{"anything-but":[]}"#,
            r#"{"anything-but":{"exists":true}}"#,
        ] {
            let pattern = format!(r#"{{"a":[{leaf}]}}"#);
            assert_eq!(
                Pattern::parse(&pattern),
                Err(Error::Matcher { at: at("a") }),
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_field_is_a_text_or_looked_into() {
        let takes = |text| Pattern::parse(text).unwrap().takes_as_text("data");
        assert!(takes(r#"{"data":["x"]}"#));
        assert!(takes(r#"{"$or":[{"data":["x"]},{"a":["y"]}]}"#));
        assert!(!takes(r#"{"data":{"x":[1]},"other":["y"]}"#));
    }
}
