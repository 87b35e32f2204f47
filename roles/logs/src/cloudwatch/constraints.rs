//! The constraints of CloudWatch Logs' model, refused in its own words.

use std::collections::BTreeMap;

use wire::json_rpc::JsonError;
use wire::validation::{Pattern, Violations};

/// Names and events counted as the model does.
const NAME_CHARACTERS_MAX: usize = 512;
/// The longest identifier of a group: a name or an ARN.
const IDENTIFIER_CHARACTERS_MAX: usize = 2_048;
/// The longest ARN of something with tags.
const RESOURCE_CHARACTERS_MAX: usize = 1_011;
/// Tags of one request.
const TAGS_MAX: usize = 50;

const GROUP: Pattern = Pattern {
    text: r"[\.\-_/#A-Za-z0-9]+",
    matches: |text| !text.is_empty() && text.chars().all(is_group_character),
};
const GROUP_PART: Pattern = Pattern {
    text: r"[\.\-_/#A-Za-z0-9]*",
    matches: |text| text.chars().all(is_group_character),
};
const STREAM: Pattern = Pattern {
    text: "[^:*]*",
    matches: |text| !text.contains([':', '*']),
};
const IDENTIFIER: Pattern = Pattern {
    text: r"[\w#+=/:,.@-]*",
    matches: |text| text.chars().all(|c| is_word(c) || "#+=/:,.@-".contains(c)),
};
const RESOURCE: Pattern = Pattern {
    text: r"[\w+=/:,.@-]*",
    matches: |text| text.chars().all(|c| is_word(c) || "+=/:,.@-".contains(c)),
};
const ACCOUNT: Pattern = Pattern {
    text: r"^\d{12}$",
    matches: |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()),
};

fn is_group_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".-_/#".contains(c)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The characters of a tag: letters, blanks and digits of any script, and a few signs.
fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}

/// Collects what is wrong with a request.
#[derive(Default)]
pub(super) struct Check(Violations);

impl Check {
    /// The refusal, if anything was wrong.
    pub(super) fn finish(self) -> Result<(), JsonError> {
        let finished = self.0.finish();
        finished.map_err(|error| JsonError::refused("InvalidParameterException", error.message))
    }

    pub(super) fn required<T>(&mut self, at: &str, value: Option<&T>) -> &mut Self {
        self.0.required(at, value);
        self
    }

    pub(super) fn group(&mut self, at: &str, name: Option<&String>) -> &mut Self {
        let name = name.map(String::as_str);
        self.0.pattern(at, name, GROUP);
        self.0.length(at, name, 1, NAME_CHARACTERS_MAX);
        self
    }

    /// A part of a group's name to search for.
    pub(super) fn group_part(&mut self, at: &str, part: Option<&String>) -> &mut Self {
        let part = part.map(String::as_str);
        self.0.pattern(at, part, GROUP_PART);
        self.0.length(at, part, 0, NAME_CHARACTERS_MAX);
        self
    }

    pub(super) fn stream(&mut self, at: &str, name: Option<&String>) -> &mut Self {
        let name = name.map(String::as_str);
        self.0.pattern(at, name, STREAM);
        self.0.length(at, name, 1, NAME_CHARACTERS_MAX);
        self
    }

    pub(super) fn identifier(&mut self, at: &str, name: Option<&String>) -> &mut Self {
        let name = name.map(String::as_str);
        self.0.pattern(at, name, IDENTIFIER);
        self.0.length(at, name, 1, IDENTIFIER_CHARACTERS_MAX);
        self
    }

    pub(super) fn resource(&mut self, at: &str, arn: Option<&String>) -> &mut Self {
        let arn = arn.map(String::as_str);
        self.0.pattern(at, arn, RESOURCE);
        self.0.length(at, arn, 1, RESOURCE_CHARACTERS_MAX);
        self
    }

    pub(super) fn account(&mut self, at: &str, id: &str) -> &mut Self {
        self.0.pattern(at, Some(id), ACCOUNT);
        self
    }

    pub(super) fn length(
        &mut self,
        at: &str,
        text: Option<&String>,
        (min, max): (usize, usize),
    ) -> &mut Self {
        self.0.length(at, text.map(String::as_str), min, max);
        self
    }

    pub(super) fn token(&mut self, text: Option<&String>) -> &mut Self {
        self.length("nextToken", text, (1, usize::MAX))
    }

    pub(super) fn range(
        &mut self,
        at: &str,
        value: Option<i64>,
        (min, max): (i64, Option<i64>),
    ) -> &mut Self {
        self.0.range(at, value, Some(min), max);
        self
    }

    pub(super) fn count<T: std::fmt::Display>(
        &mut self,
        at: &str,
        list: Option<&[T]>,
        (min, max): (usize, usize),
    ) -> &mut Self {
        self.0.count(at, list, min, max);
        self
    }

    pub(super) fn one_of(&mut self, at: &str, value: Option<&String>, set: &[&str]) -> &mut Self {
        self.0.one_of(at, value.map(String::as_str), set);
        self
    }

    /// Tags that are to be set.
    pub(super) fn tags(&mut self, tags: Option<&BTreeMap<String, String>>) -> &mut Self {
        let Some(tags) = tags else { return self };
        let pairs: Vec<String> = tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
        self.0.count("tags", Some(&pairs), 1, TAGS_MAX);
        for (key, value) in tags {
            self.tag_key("tags", key);
            self.0.length("tags", Some(value), 0, 256);
            self.0.pattern("tags", Some(value), TAG_VALUE);
        }
        self
    }

    pub(super) fn tag_keys(
        &mut self,
        at: &str,
        keys: Option<&[String]>,
        (min, max): (usize, usize),
    ) -> &mut Self {
        self.0.count(at, keys, min, max);
        for key in keys.unwrap_or_default() {
            self.tag_key(at, key);
        }
        self
    }

    fn tag_key(&mut self, at: &str, key: &str) {
        self.0.length(at, Some(key), 1, 128);
        self.0.pattern(at, Some(key), TAG_KEY);
    }
}

const TAG_KEY: Pattern = Pattern {
    text: r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]+)$",
    matches: |text| !text.is_empty() && text.chars().all(is_tag_character),
};
const TAG_VALUE: Pattern = Pattern {
    text: r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$",
    matches: |text| text.chars().all(is_tag_character),
};
