//! A JSON text as it stands in the request: texts are borrowed from it, since a package of 50 MB
//! may be one of them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::ApiError;

/// Values of a body. The largest request of the model has some hundreds, and a package, which is
/// most of a large one, is base64.
const VALUES_MAX: usize = 100_000;

/// See the module.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Document<'d> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'d, str>),
    List(Vec<Document<'d>>),
    Object(Vec<(Cow<'d, str>, Document<'d>)>),
}

impl<'d> Document<'d> {
    /// A request's body, which must be an object.
    pub(super) fn parse(body: &'d [u8]) -> Result<Self, ApiError> {
        // In memory a value takes many times the byte or two that it may have here.
        let begins_one = |byte: &&u8| matches!(byte, b',' | b':' | b'[' | b'{');
        if body.iter().filter(begins_one).count() > VALUES_MAX {
            return Err(ApiError::serialization(format!(
                "Could not parse request body into json: it has more than {VALUES_MAX} values"
            )));
        }
        match types::json::from_slice(body) {
            Ok(object @ Self::Object(_)) => Ok(object),
            Ok(Self::Null) => Ok(Self::Object(Vec::new())),
            Ok(_) => Err(ApiError::serialization(
                "Could not parse request body into json: it is not an object",
            )),
            // The place, and nothing of the text: it may hold secrets.
            Err(error) => Err(ApiError::serialization(format!(
                "Could not parse request body into json: {} at line {} column {}",
                match error.is_data() {
                    true => "a name is there twice",
                    false => "it is not JSON",
                },
                error.line(),
                error.column()
            ))),
        }
    }

    /// The member of that name.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(entries) = self else {
            return None;
        };
        let found = entries.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value)
    }
}

/// As refusals show a value: `[a, b]`, `{key=value}`.
impl fmt::Display for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Object(entries) => {
                f.write_str("{")?;
                for (index, (name, value)) in entries.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}={value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Document<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Document::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Document::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Document::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Document::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Document::Number(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Document::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Document::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Document::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut object = Vec::new();
        while let Some((name, value)) = entries.next_entry::<Name<'de>, _>()? {
            object.push((name.0, value));
        }
        Ok(Document::Object(object))
    }
}

/// A name of a member, borrowed if it can be.
struct Name<'d>(Cow<'d, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Document::deserialize(deserializer)? {
            Document::Text(text) => Ok(Self(text)),
            // JSON has no other names.
            other => Ok(Self(Cow::Owned(other.to_string()))),
        }
    }
}
