//! JSON as Go's `encoding/json` reads it into a structure, which is how Lambda's own APIs read what
//! extensions send. Pure.
//!
//! A member that is absent and one that is `null` leave the field as it is: its zero value. `""`, `0` and
//! `[]` are that zero value, too, where the field is of their kind, and an error where it is not. Names are
//! found whatever the case of their letters; of one that comes twice the last counts; what has no
//! field is ignored; bytes that are not UTF-8 become U+FFFD. (pkg.go.dev/encoding/json#Unmarshal)

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use types::ForCallers;

/// The members of an object that are not `null`, by name in lower case.
#[derive(Default, Debug)]
pub(crate) struct Members(BTreeMap<String, Value>);

/// What is wrong with a body. Not in the parser's words: they mention types that the sender does not know.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    /// It is none.
    #[error("the body is not a JSON object")]
    Body,
    /// A member is of another kind.
    #[error("{member}: the value is of another type")]
    Member {
        /// Its name.
        member: &'static str,
    },
}

impl ForCallers for Wrong {}

impl Members {
    /// Reads a body. An empty one is none.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Wrong> {
        let body = String::from_utf8_lossy(body);
        serde_json::from_str(&body).map_err(|_| Wrong::Body)
    }

    /// A member, which is taken out; `None` where Go finds nothing to set. The error names it.
    pub(crate) fn take<T: DeserializeOwned>(
        &mut self,
        member: &'static str,
    ) -> Result<Option<T>, Wrong> {
        let value = self.0.remove(&member.to_ascii_lowercase());
        let read = value.map(serde_json::from_value).transpose();
        read.map_err(|_| Wrong::Member { member })
    }

    /// A string, empty where there is none.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<String, Wrong> {
        Ok(self.take(name)?.unwrap_or_default())
    }

    /// A list of strings, empty where there is none. A `null` in it is an empty string.
    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, Wrong> {
        let all: Vec<Option<String>> = self.take(name)?.unwrap_or_default();
        Ok(all.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// An object within, without members where there is none.
    pub(crate) fn members(&mut self, name: &'static str) -> Result<Self, Wrong> {
        Ok(self.take(name)?.unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Members;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Members, E> {
        Ok(Members::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut all = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if !value.is_null() {
                all.insert(name.to_ascii_lowercase(), value);
            }
        }
        Ok(Members(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_absent_are_the_zero_value_and_the_last_of_a_name_counts() {
        let read = |text: &str| Members::parse(text.as_bytes()).unwrap();
        assert_eq!(read("null").text("a").unwrap(), "");
        assert_eq!(read("{\"a\":null}").text("a").unwrap(), "");
        assert_eq!(read("{\"A\":\"x\",\"b\":1}").text("a").unwrap(), "x");
        assert_eq!(read("{\"a\":\"x\",\"a\":null}").text("a").unwrap(), "x");
        assert_eq!(read("{\"a\":\"x\",\"A\":\"\"}").text("a").unwrap(), "");
        assert_eq!(read("{\"a\":[null,\"x\"]}").texts("a").unwrap(), ["", "x"]);
        assert_eq!(read("{\"a\":null}").take::<u16>("a").unwrap(), None);
        assert_eq!(
            read("{\"a\":{\"B\":7}}")
                .members("a")
                .unwrap()
                .take("b")
                .unwrap(),
            Some(7u16)
        );
    }

    #[test]
    fn another_kind_of_value_is_an_error_that_names_the_member() {
        for text in [
            "{\"a\":\"\"}",
            "{\"a\":1.0}",
            "{\"a\":-1}",
            "{\"a\":70000}",
            "{\"a\":[]}",
        ] {
            let read = Members::parse(text.as_bytes()).unwrap().take::<u16>("a");
            assert!(read.unwrap_err().to_string().starts_with("a: "), "{text}");
        }
        for text in ["", "[]", "\"\"", "0", "{", "{}x"] {
            assert!(Members::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
