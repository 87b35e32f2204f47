//! Whether a record passes.
//!
//! A list in a record stands for each of its items: one that matches is enough.

use crate::json::Json;
use crate::pattern::{Bound, Condition, Matcher, Pattern, Range};

impl Pattern {
    /// Whether `record` passes.
    pub fn matches(&self, record: &Json) -> bool {
        self.holds(Some(record))
    }

    /// `None` is a missing record, in which nothing exists.
    fn holds(&self, record: Option<&Json>) -> bool {
        if let Some(Json::List(items)) = record {
            return items.iter().any(|item| self.holds(Some(item)));
        }
        let field = |name: &str| record.and_then(|record| record.member(name));
        let fields = self
            .fields
            .iter()
            .all(|(name, condition)| condition.holds(field(name)));
        let some = |patterns: &Vec<Pattern>| patterns.iter().any(|pattern| pattern.holds(record));
        fields && self.alternatives.iter().all(some)
    }
}

impl Condition {
    fn holds(&self, value: Option<&Json>) -> bool {
        match self {
            Self::Below(pattern) => pattern.holds(value),
            Self::AnyOf(matchers) => matchers.iter().any(|matcher| matcher.holds(value)),
        }
    }
}

impl Matcher {
    fn holds(&self, value: Option<&Json>) -> bool {
        match (self, value) {
            // Only a leaf exists.
            (Self::Exists(wanted), value) => value.is_some_and(is_leaf) == *wanted,
            (_, None) => false,
            (_, Some(Json::List(items))) => items.iter().any(|item| self.holds(Some(item))),
            (_, Some(Json::Object(_))) => false,
            (Self::Exactly(wanted), Some(value)) => wanted == value,
            (Self::Prefix(start), Some(Json::Text(text))) => text.starts_with(start.as_str()),
            (Self::Suffix(end), Some(Json::Text(text))) => text.ends_with(end.as_str()),
            (Self::IgnoringCase(wanted), Some(Json::Text(text))) => text.to_lowercase() == *wanted,
            (Self::Numeric(range), Some(Json::Number(number))) => {
                number.parse().is_ok_and(|number| range.has(number))
            }
            (Self::Not(excluded), value) => !excluded.iter().any(|matcher| matcher.holds(value)),
            _ => false,
        }
    }
}

impl Range {
    fn has(self, number: f64) -> bool {
        let beyond =
            |bound: Bound, strictly: bool| strictly || bound.included && number == bound.value;
        self.above
            .is_none_or(|bound| beyond(bound, number > bound.value))
            && self
                .below
                .is_none_or(|bound| beyond(bound, number < bound.value))
    }
}

fn is_leaf(value: &Json) -> bool {
    match value {
        Json::Object(_) => false,
        Json::List(items) => items.iter().any(is_leaf),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, record: &str, expected: bool) {
        let read = Pattern::parse(pattern).unwrap();
        let matched = read.matches(&Json::parse(record).unwrap());
        assert_eq!(matched, expected, "{pattern} on {record}");
    }

    #[test]
    fn a_field_must_have_one_of_its_values() {
        check(r#"{"a":["x","y"]}"#, r#"{"a":"y","b":1}"#, true);
        check(r#"{"a":["x","y"]}"#, r#"{"a":"Y"}"#, false);
        check(r#"{"a":["x"],"b":[1]}"#, r#"{"a":"x","b":2}"#, false);
        check(r#"{"a":{"b":[1]}}"#, r#"{"a":{"b":1}}"#, true);
        check(r#"{"a":{"b":[1]}}"#, r#"{"b":1}"#, false);
        check(r#"{"a":[null]}"#, r#"{"a":null}"#, true);
        check(r#"{"a":[null]}"#, r#"{}"#, false);
        check(r#"{"a":[""]}"#, r#"{"a":""}"#, true);
        check(r#"{"a":[true]}"#, r#"{"a":true}"#, true);
        check(r#"{"a":["x"]}"#, r#"{"a":{"x":1}}"#, false);
    }

    #[test]
    fn numbers_are_compared_as_written_but_under_numeric() {
        check(r#"{"a":[300]}"#, r#"{"a":300}"#, true);
        check(r#"{"a":[300]}"#, r#"{"a":300.0}"#, false);
        check(r#"{"a":[300]}"#, r#"{"a":3e2}"#, false);
        check(r#"{"a":[300]}"#, r#"{"a":"300"}"#, false);
        check(r#"{"a":[{"numeric":["=",300]}]}"#, r#"{"a":3e2}"#, true);
        let range = r#"{"a":[{"numeric":[">",10,"<=",20]}]}"#;
        for (number, expected) in [("10", false), ("10.5", true), ("20", true), ("21", false)] {
            check(range, &format!(r#"{{"a":{number}}}"#), expected);
        }
        check(range, r#"{"a":"15"}"#, false);
    }

    #[test]
    fn texts_may_be_matched_in_part() {
        check(r#"{"a":[{"prefix":"us-"}]}"#, r#"{"a":"us-east-1"}"#, true);
        check(r#"{"a":[{"suffix":".png"}]}"#, r#"{"a":"x.jpg"}"#, false);
        check(
            r#"{"a":[{"equals-ignore-case":"ALICE"}]}"#,
            r#"{"a":"aLice"}"#,
            true,
        );
    }

    #[test]
    fn what_is_excluded_must_be_there_as_something_else() {
        let dry = r#"{"a":[{"anything-but":["Raining",5]}]}"#;
        check(dry, r#"{"a":"Sunny"}"#, true);
        check(dry, r#"{"a":"Raining"}"#, false);
        check(dry, r#"{"a":5}"#, false);
        check(dry, r#"{}"#, false);
        check(
            r#"{"a":[{"anything-but":{"prefix":"x"}}]}"#,
            r#"{"a":"yx"}"#,
            true,
        );
    }

    #[test]
    fn only_leaves_exist() {
        check(r#"{"a":[{"exists":true}]}"#, r#"{"a":null}"#, true);
        check(r#"{"a":[{"exists":true}]}"#, r#"{"a":{"b":1}}"#, false);
        check(r#"{"a":[{"exists":false}]}"#, r#"{"b":1}"#, true);
        check(r#"{"a":[{"exists":false}]}"#, r#"{"a":1}"#, false);
        check(r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"c":1}"#, true);
    }

    #[test]
    fn one_alternative_is_enough() {
        let either = r#"{"c":[1],"$or":[{"a":["x"]},{"b":[{"numeric":[">",1]}]}]}"#;
        check(either, r#"{"a":"x","c":1}"#, true);
        check(either, r#"{"b":2,"c":1}"#, true);
        check(either, r#"{"a":"x"}"#, false);
        check(either, r#"{"a":"y","b":1,"c":1}"#, false);
    }

    #[test]
    fn one_item_of_a_list_is_enough() {
        check(r#"{"a":["x"]}"#, r#"{"a":["w","x"]}"#, true);
        check(r#"{"a":{"b":[1]}}"#, r#"{"a":[{"b":2},{"b":1}]}"#, true);
        check(r#"{"a":{"b":[1]}}"#, r#"{"a":[]}"#, false);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn nothing_makes_it_panic(pattern in r#"[\[\]{}":,0-9eE.<>=a-z$ \PC-]{0,60}"#, record in "\\PC{0,40}") {
            let shaped = format!(r#"{{"a":[{pattern}],"$or":[{pattern}]}}"#);
            for text in [&pattern, &shaped] {
                if let (Ok(pattern), Ok(record)) = (Pattern::parse(text), Json::parse(&record)) {
                    let _ = pattern.matches(&record);
                }
            }
        }

        #[test]
        fn a_record_passes_the_pattern_made_of_it(texts in proptest::collection::btree_map("[a-z]{1,5}", "\\PC{0,10}", 1..5)) {
            let record = serde_json::to_string(&texts).unwrap();
            let lists: std::collections::BTreeMap<_, _> =
                texts.iter().map(|(name, text)| (name, [text])).collect();
            let pattern = Pattern::parse(&serde_json::to_string(&lists).unwrap()).unwrap();
            prop_assert!(pattern.matches(&Json::parse(&record).unwrap()));
            let other = record.replacen("\":\"", "\":\"~", 1);
            prop_assert!(!pattern.matches(&Json::parse(&other).unwrap()));
        }
    }
}
