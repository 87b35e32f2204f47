//! JSON in which no object has two members of one name.
//!
//! RFC 8259 leaves open which of two such members counts. Where a document says who may do what, two
//! readers that choose differently are a hole, and so is a reader that drops the member with the denial:
//! such a text is refused. Names are compared as they read, without their escapes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};

/// Reads a text. Its error is a [`Data`](serde_json::error::Category::Data) one for a name that is
/// there twice, and never repeats anything of the text.
pub fn from_slice<'d, T: Deserialize<'d>>(text: &'d [u8]) -> Result<T, serde_json::Error> {
    check(text)?;
    serde_json::from_slice(text)
}

/// Refuses what is not JSON, and objects with two members of one name at any depth. Texts are read
/// in place: it takes memory only for the names of one object at each depth.
pub fn check(text: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<Checked>(text).map(|Checked| ())
}

/// Tells, letter by letter, what of a JSON text stands within one of its texts.
#[derive(Debug, Default)]
pub struct Texts {
    within: bool,
    escaped: bool,
}

impl Texts {
    /// Takes the next letter, or byte as one; whether what follows it is within a text.
    pub fn step(&mut self, letter: char) -> bool {
        match letter {
            _ if self.escaped => self.escaped = false,
            '\\' if self.within => self.escaped = true,
            '"' => self.within = !self.within,
            _ => {}
        }
        self.within
    }
}

/// A value that has been checked.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Looking)
    }
}

struct Looking;

impl<'de> Visitor<'de> for Looking {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Checked, A::Error> {
        while items.next_element::<Checked>()?.is_some() {}
        Ok(Checked)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Checked, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key_seed(Name)? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name is there twice"));
            }
            members.next_value::<Checked>()?;
        }
        Ok(Checked)
    }
}

/// A member's name, in place where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_a_text_is_told_letter_by_letter() {
        let told = |json: &str| {
            let mut texts = Texts::default();
            let told = json.chars().map(|letter| texts.step(letter));
            told.map(|within| if within { '1' } else { '0' })
                .collect::<String>()
        };
        assert_eq!(told(r#"{"a":1}"#), "0110000");
        assert_eq!(told(r#""\"x""#), "11110");
        assert_eq!(told(r#""\\"x"#), "11100");
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            r#"[[{"x":{"a":1,"a":2}}]]"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"":1,"":2}"#,
        ] {
            let error = from_slice::<serde_json::Value>(text.as_bytes()).unwrap_err();
            assert!(error.is_data(), "{text}: {error}");
            assert!(error.line() == 1 && error.column() > 0, "{text}: {error}");
        }
        for text in [
            r#"{"a":{"a":{"a":1}},"A":2,"b":[{"a":1},{"a":1.5e3}]}"#,
            r#""a""#,
            "null",
            "[true,-1,18446744073709551615]",
        ] {
            assert!(
                from_slice::<serde_json::Value>(text.as_bytes()).is_ok(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", r#"{"a":1}x"#, "{a:1}", "\"\u{1}\""] {
            assert!(!check(text.as_bytes()).unwrap_err().is_data(), "{text}");
        }
        assert!(check(b"\"\xff\"").is_err());
        assert!(check("[".repeat(100_000).as_bytes()).is_err());
    }
}
