//! One shape of the model: what its values must be, and the words for it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde::Deserialize;

use super::document::Document;
use crate::validation::set_text;

/// The models of all services, read at the first request. Names of others than Lambda's are
/// prefixed: `iam:CreateUser`.
pub(super) static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let texts = [
        include_str!("lambda.json"),
        include_str!("iam.json"),
        include_str!("sts.json"),
    ];
    let mut all = Model::default();
    for text in texts {
        let one: Model = serde_json::from_str(text).expect("tools/model writes what this reads");
        all.operations.extend(one.operations);
        all.shapes.extend(one.shapes);
    }
    all
});

/// The constraints of all operations.
#[derive(Deserialize, Default)]
pub(super) struct Model {
    operations: BTreeMap<String, String>,
    shapes: BTreeMap<String, Shape>,
}

/// What a value must be. Only what is constrained somewhere is in the table.
#[derive(Deserialize)]
pub(super) struct Shape {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    min: Option<f64>,
    max: Option<f64>,
    pattern: Option<String>,
    #[serde(default, rename = "enum")]
    set: Vec<String>,
    #[serde(default)]
    pub(super) sensitive: bool,
    /// Refusals of lists and maps do not say that it must not be null.
    #[serde(default)]
    never_null: bool,
    #[serde(default)]
    pub(super) members: Vec<Member>,
    member: Option<String>,
    key: Option<String>,
    value: Option<String>,
    #[serde(skip)]
    compiled: OnceLock<Matcher>,
}

/// A member of a structure.
#[derive(Deserialize)]
pub(super) struct Member {
    pub(super) name: String,
    shape: Option<String>,
    #[serde(default)]
    pub(super) place: Place,
    #[serde(rename = "as")]
    wire_name: Option<String>,
    #[serde(default)]
    pub(super) required: bool,
}

/// Where a request has a member.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum Place {
    #[default]
    Body,
    Path,
    Query,
}

/// The model's types.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Structure,
    List,
    Map,
    String,
    Blob,
    Integer,
    Long,
    Double,
    Boolean,
    Timestamp,
}

impl Model {
    /// What that operation takes, if anything of it is constrained.
    pub(super) fn input(&self, operation: &str) -> Option<&Shape> {
        self.shapes.get(self.operations.get(operation)?)
    }
}

impl Member {
    /// What its values must be.
    pub(super) fn shape(&self) -> Option<&'static Shape> {
        shape(self.shape.as_deref())
    }

    /// Its name in path or query.
    pub(super) fn wire_name(&self) -> &str {
        self.wire_name.as_deref().unwrap_or(&self.name)
    }
}

impl Shape {
    /// What the items of a list must be.
    pub(super) fn item(&self) -> Option<&'static Shape> {
        shape(self.member.as_deref())
    }

    /// What the keys of a map must be.
    pub(super) fn key_shape(&self) -> Option<&'static Shape> {
        shape(self.key.as_deref())
    }

    /// What the values of a map must be.
    pub(super) fn value_shape(&self) -> Option<&'static Shape> {
        shape(self.value.as_deref())
    }

    /// Whether its values are numbers.
    pub(super) fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Integer | Kind::Long | Kind::Double)
    }

    /// The rules of this shape itself that a value breaks, in words. None for a value of another type.
    pub(super) fn broken(&self, value: &Document<'_>) -> Vec<String> {
        let mut rules = Vec::new();
        if let (Some(pattern), Document::Text(text)) = (&self.pattern, value)
            && !self
                .compiled
                .get_or_init(|| Matcher::new(pattern))
                .matches(text)
        {
            rules.push(pattern_rule(pattern));
        }
        if let Document::Text(text) = value
            && !self.set.is_empty()
            && !self.set.iter().any(|member| member == text)
        {
            rules.push(self.set_rule());
        }
        if let Document::List(items) = value
            && !self.set.is_empty()
            && !items.iter().all(|item| self.has(item))
        {
            rules.push(self.set_rule());
        }
        let Some(size) = self.size(value) else {
            return rules;
        };
        if self.max.is_some_and(|max| size > max) {
            rules.extend(self.max_rule());
        }
        if self.min.is_some_and(|min| size < min) {
            rules.extend(self.min_rule());
        }
        rules
    }

    /// Whether an item is of the set that a list says for its items.
    fn has(&self, item: &Document<'_>) -> bool {
        matches!(item, Document::Text(text) if self.set.iter().any(|member| member == text))
    }

    /// Whether a value breaks no rule, all the way down.
    pub(super) fn holds(&self, value: &Document<'_>) -> bool {
        let below = match value {
            Document::List(items) => {
                let inner = self.item();
                inner.is_none_or(|inner| items.iter().all(|item| inner.holds(item)))
            }
            _ => true,
        };
        below && self.broken(value).is_empty()
    }

    /// All rules of this shape, broken or not, as refusals of lists and maps have them.
    pub(super) fn rules(&self) -> String {
        let mut rules: Vec<String> = Vec::new();
        rules.extend(self.max_rule());
        rules.extend(self.min_rule());
        rules.extend(self.pattern.as_deref().map(pattern_rule));
        if !self.set.is_empty() {
            rules.push(self.set_rule());
        }
        if let Some(inner) = self.item() {
            rules.push(format!(
                "Member must satisfy constraint: [{}]",
                inner.rules()
            ));
        }
        if !self.never_null {
            rules.push("Member must not be null".to_owned());
        }
        rules.join(", ")
    }

    /// What `min` and `max` are about: a number's value, a text's or a collection's length.
    fn size(&self, value: &Document<'_>) -> Option<f64> {
        let length = |length: usize| Some(length as f64);
        match (self.kind, value) {
            (Kind::Integer | Kind::Long | Kind::Double, Document::Number(number)) => Some(*number),
            (Kind::String, Document::Text(text)) => length(text.chars().count()),
            (Kind::List, Document::List(items)) => length(items.len()),
            (Kind::Map, Document::Object(entries)) => length(entries.len()),
            _ => None,
        }
    }

    fn min_rule(&self) -> Option<String> {
        Some(self.bound_rule("greater", self.min?))
    }

    fn max_rule(&self) -> Option<String> {
        Some(self.bound_rule("less", self.max?))
    }

    fn bound_rule(&self, than: &str, bound: f64) -> String {
        let what = if self.is_number() { "value" } else { "length" };
        match self.kind {
            Kind::Double => format!("Member must have {what} {than} than or equal to {bound:?}"),
            _ => format!("Member must have {what} {than} than or equal to {bound}"),
        }
    }

    fn set_rule(&self) -> String {
        let set: Vec<&str> = self.set.iter().map(String::as_str).collect();
        format!("Member must satisfy enum value set: {}", set_text(&set))
    }
}

/// A list as refusals show it.
pub(super) fn shown_list<'d>(items: &'d [Document<'d>]) -> impl Display + use<'d> {
    Document::List(items.to_vec())
}

/// A map as refusals show it: fractions always have a point.
pub(super) fn shown_map<'d>(
    entries: &'d [(Cow<'d, str>, Document<'d>)],
    inner: &Shape,
) -> impl Display + use<'d> {
    let shown = entries.iter().map(|(name, value)| match value {
        Document::Number(number) if inner.kind == Kind::Double => {
            (name.clone(), Document::Text(format!("{number:?}").into()))
        }
        value => (name.clone(), value.clone()),
    });
    Document::Object(shown.collect())
}

fn shape(name: Option<&str>) -> Option<&'static Shape> {
    MODEL.shapes.get(name?)
}

fn pattern_rule(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

/// A pattern of the model, made into what can decide in linear time. The few that look around are
/// two: what must match, and what must not.
struct Matcher {
    must: Regex,
    must_not: Option<Regex>,
}

/// The model's patterns that look around; what is left without that; what they keep out.
const LOOKING_AROUND: [(&str, &str, &str); 5] = [
    ("(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "[a-zA-Z0-9-_]+", "[0-9]+"),
    (r"((?!^\d+$)^[0-9a-zA-Z-_]+$)", "[0-9a-zA-Z-_]+", "[0-9]+"),
    (r"[0-9A-Za-z\.\-_]*(?<!\.)", r"[0-9A-Za-z\.\-_]*", r".*\."),
    (
        r"(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)",
        "[_a-zA-Z0-9][^$]*",
        r"(?s)system\..*",
    ),
    (
        "^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$",
        "[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        ".*--.*",
    ),
];

impl Matcher {
    fn new(pattern: &str) -> Self {
        let split = LOOKING_AROUND
            .iter()
            .find(|(whole, _, _)| *whole == pattern);
        let (must, must_not) = match split {
            Some((_, must, must_not)) => (*must, Some(*must_not)),
            None => (pattern, None),
        };
        Self {
            must: anchored(must),
            must_not: must_not.map(anchored),
        }
    }

    fn matches(&self, text: &str) -> bool {
        let kept_out = self
            .must_not
            .as_ref()
            .is_some_and(|regex| regex.is_match(text));
        self.must.is_match(text) && !kept_out
    }
}

/// Patterns are about the whole text, and their digits and letters are ASCII's.
fn anchored(pattern: &str) -> Regex {
    let ascii = pattern
        // Written for engines that know no longer escapes.
        .replace(r"\u10000-\u10FFFF", r"\U00010000-\U0010FFFF")
        .replace(r"\d", "[0-9]")
        .replace(r"\w", "[A-Za-z0-9_]");
    Regex::new(&format!(r"\A(?:{ascii})\z")).expect("a test compiles every pattern of the model")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_model_compiles() {
        for (name, shape) in &MODEL.shapes {
            if let Some(pattern) = &shape.pattern {
                Matcher::new(pattern).matches(name);
            }
        }
    }

    #[test]
    fn every_shape_that_is_named_is_there() {
        for shape in MODEL.shapes.values() {
            let members = shape.members.iter().map(|member| &member.shape);
            for name in members
                .chain([&shape.member, &shape.key, &shape.value])
                .flatten()
            {
                assert!(MODEL.shapes.contains_key(name), "{name}");
            }
        }
    }

    #[test]
    fn patterns_that_look_around_do_as_the_model_says() {
        let [alias, url, bucket, collection, account] =
            LOOKING_AROUND.map(|(pattern, _, _)| Matcher::new(pattern));
        assert!(alias.matches("v1") && !alias.matches("12") && !alias.matches("a b"));
        assert!(url.matches("live") && !url.matches("7"));
        assert!(bucket.matches("a.b") && !bucket.matches("a."));
        assert!(account.matches("a-b-c") && !account.matches("a--b") && !account.matches("-ab"));
        assert!(collection.matches("c") && !collection.matches("system.c"));
    }
}
