//! JSON whose numbers keep the form in which they were written: to a pattern 300, 300.0 and 3e2
//! are three values.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Objects and lists within one another at most. `serde_json` has the same bound for what it reads
/// at once.
const DEPTH_MAX: usize = 100;

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub enum Json {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// As written.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object; of equal names the last one counts.
    Object(BTreeMap<String, Json>),
}

/// A text is not JSON, or nested too deeply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not JSON")]
pub struct NotJson;

impl Json {
    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, NotJson> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|_| NotJson)?;
        read(raw, DEPTH_MAX)
    }

    /// The member of that name, of an object.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }
}

fn read(raw: &RawValue, depth: usize) -> Result<Json, NotJson> {
    let (text, deeper) = (raw.get(), depth.checked_sub(1).ok_or(NotJson)?);
    let not_json = |_| NotJson;
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> =
                serde_json::from_str(text).map_err(not_json)?;
            let members = members
                .into_iter()
                .map(|(name, raw)| Ok((name, read(raw, deeper)?)));
            Json::Object(members.collect::<Result<_, NotJson>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(not_json)?;
            let items = items.into_iter().map(|raw| read(raw, deeper));
            Json::List(items.collect::<Result<_, NotJson>>()?)
        }
        Some(b'"') => Json::Text(serde_json::from_str(text).map_err(not_json)?),
        Some(b't') => Json::Bool(true),
        Some(b'f') => Json::Bool(false),
        Some(b'n') => Json::Null,
        _ => Json::Number(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_as_they_were_written() {
        let read = Json::parse(r#"{"a":[3e2, 300, -0.10], "a":[1.0, true, null, "x\u00e9"]}"#);
        let items = vec![
            Json::Number("1.0".into()),
            Json::Bool(true),
            Json::Null,
            Json::Text("xé".into()),
        ];
        let members = BTreeMap::from([("a".to_owned(), Json::List(items))]);
        assert_eq!(read, Ok(Json::Object(members)));
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_refused() {
        for text in ["", "{", "{'a':1}", "nul", "01", "[1,]"] {
            assert_eq!(Json::parse(text), Err(NotJson), "{text}");
        }
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(&nested(99)).is_ok());
        for depth in [101, 120, 100_000] {
            assert_eq!(Json::parse(&nested(depth)), Err(NotJson));
        }
    }
}
