//! A template before evaluation: values that remember their line.
//!
//! YAML's short forms are already the long ones: `!Ref x` is a map with the one key `Ref`, and
//! `!GetAtt a.b` one with `Fn::GetAtt`, so that nobody after the parsers meets a tag.

use super::Error;

/// A value and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Line in the file, from 1; 0 where the file's form does not tell.
    pub line: usize,
    /// What it is.
    pub kind: Kind,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number, as it was written: what it is used for decides what becomes of it.
    Number(String),
    /// A text.
    Text(String),
    /// Several in their order.
    List(Vec<Node>),
    /// Named ones in their order; no name comes twice.
    Map(Vec<Entry>),
}

/// One of a map.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// Where its name stands.
    pub line: usize,
    /// What is named.
    pub value: Node,
}

impl Node {
    /// A text.
    pub fn text(line: usize, text: impl Into<String>) -> Self {
        Self {
            line,
            kind: Kind::Text(text.into()),
        }
    }

    /// A list.
    pub fn list(line: usize, items: Vec<Node>) -> Self {
        Self {
            line,
            kind: Kind::List(items),
        }
    }

    /// A map.
    pub fn map<K: Into<String>>(line: usize, entries: impl IntoIterator<Item = (K, Node)>) -> Self {
        let entry = |(key, value): (K, Node)| Entry {
            key: key.into(),
            line: value.line,
            value,
        };
        Self {
            line,
            kind: Kind::Map(entries.into_iter().map(entry).collect()),
        }
    }

    /// `{"Ref": name}`.
    pub fn reference(line: usize, name: impl Into<String>) -> Self {
        Self::map(line, [("Ref", Self::text(line, name))])
    }

    /// `{"Fn::GetAtt": [name, attribute]}`.
    pub fn attribute(line: usize, name: &str, attribute: &str) -> Self {
        let path = vec![Self::text(line, name), Self::text(line, attribute)];
        Self::map(line, [("Fn::GetAtt", Self::list(line, path))])
    }

    /// `{"Fn::Sub": text}`.
    pub(crate) fn substitute(line: usize, text: impl Into<String>) -> Self {
        Self::map(line, [("Fn::Sub", Self::text(line, text))])
    }

    /// The value of that name, if this is a map that has one.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let entries = self.entries()?;
        let found = entries.iter().find(|entry| entry.key == key);
        found.map(|entry| &entry.value)
    }

    /// The entries, if this is a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if this is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What a scalar says; `None` for lists, maps and nothing.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.kind {
            Kind::Text(text) | Kind::Number(text) => Some(text.clone()),
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The function and its argument, if this is a call of one: a map with one key that is `Ref`,
    /// `Condition` or begins with `Fn::`.
    pub fn call(&self) -> Option<(&str, &Node)> {
        match self.entries()? {
            [Entry { key, value, .. }]
                if key == "Ref" || key == "Condition" || key.starts_with("Fn::") =>
            {
                Some((key, value))
            }
            _ => None,
        }
    }

    /// Sets the value of a name; a map that has it keeps the place.
    pub fn set(&mut self, key: &str, value: Node) {
        let Kind::Map(entries) = &mut self.kind else {
            return;
        };
        match entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.value = value,
            None => entries.push(Entry {
                key: key.to_owned(),
                line: value.line,
                value,
            }),
        }
    }

    /// What is wrong at this line.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error {
            line: self.line,
            message: message.into(),
        }
    }

    /// The entries; `what` is named if this is not a map.
    pub(crate) fn expect_map(&self, what: &str) -> Result<&[Entry], Error> {
        self.entries()
            .ok_or_else(|| self.error(format!("{what} must be a map")))
    }

    /// The items; `what` is named if this is not a list.
    pub(crate) fn expect_list(&self, what: &str) -> Result<&[Node], Error> {
        self.items()
            .ok_or_else(|| self.error(format!("{what} must be a list")))
    }

    /// The text; `what` is named where this is none.
    pub(crate) fn expect_text(&self, what: &str) -> Result<&str, Error> {
        self.as_text()
            .ok_or_else(|| self.error(format!("{what} must be a text, written out")))
    }
}
