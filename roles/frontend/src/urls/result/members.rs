//! The members of a result that describe the head of a response, read within bounds: otherwise what a
//! function writes would take many times its bytes in memory before it is checked.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Headers and cookies of a response. Clients take a hundred or so.
pub(super) const HEADERS_MAX: usize = 1_000;

/// What a header or a status may be.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Scalar {
    /// `null`.
    Nothing,
    /// A truth value or a number, written out.
    Written(String),
    /// A text.
    Text(String),
}

/// Names and values as they were written.
#[derive(Default)]
pub(super) struct Headers(pub(super) Vec<(String, Scalar)>);

/// Lines of `Set-Cookie`.
#[derive(Default)]
pub(super) struct Cookies(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or a truth value")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Written(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Written(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Written(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
        let number = serde_json::Number::from_f64(value);
        let number = number.ok_or_else(|| E::custom("the number is not finite"))?;
        Ok(Scalar::Written(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {HEADERS_MAX} headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Headers, A::Error> {
        let mut headers = Vec::new();
        while let Some(header) = entries.next_entry()? {
            if headers.len() == HEADERS_MAX {
                return Err(A::Error::invalid_length(headers.len() + 1, &self));
            }
            headers.push(header);
        }
        Ok(Headers(headers))
    }
}

impl<'de> Deserialize<'de> for Cookies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(CookiesVisitor)
    }
}

struct CookiesVisitor;

impl<'de> Visitor<'de> for CookiesVisitor {
    type Value = Cookies;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {HEADERS_MAX} cookies")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Cookies, A::Error> {
        let mut cookies = Vec::new();
        while let Some(cookie) = items.next_element()? {
            if cookies.len() == HEADERS_MAX {
                return Err(A::Error::invalid_length(cookies.len() + 1, &self));
            }
            cookies.push(cookie);
        }
        Ok(Cookies(cookies))
    }
}
