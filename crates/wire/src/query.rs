//! The query protocol of STS: a form in, XML out.
//!
//! ```text
//!   Action=GetCallerIdentity&Version=2011-06-15
//!   <GetCallerIdentityResponse xmlns="…"><GetCallerIdentityResult>…</GetCallerIdentityResult>
//!     <ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></GetCallerIdentityResponse>
//! ```

mod error;
mod xml;

use std::collections::BTreeMap;

use http::request::Parts;

pub use error::QueryError;
pub use xml::{answer_xml, escaped, group, member};

use crate::uri::{form_pairs, repeated_name};

/// Name space of IAM's answers.
pub const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// Name space of STS's answers.
pub const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The largest form read, bytes. The longest parameter of STS, a SAML assertion, is 100 000.
pub(crate) const FORM_BYTES_MAX: usize = 512 * 1024;

/// Parameters of a form. The longest list of IAM's, of tags, has 50 with two members each.
const PARAMETERS_MAX: usize = 10_000;

/// A request of the query protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// `Action`; empty if there is none.
    pub action: String,
    /// All parameters in their order, `Action` and `Version` among them.
    pub parameters: Vec<(String, String)>,
}

impl Query {
    /// Reads a form body or, where there is none, the query string. A parameter may be there once:
    /// otherwise which one counts would depend on who reads it.
    pub fn parse(parts: &Parts, body: &[u8]) -> Result<Self, QueryError> {
        let form = match body {
            [] => parts.uri.query().unwrap_or_default(),
            body if body.len() > FORM_BYTES_MAX => {
                let message = format!("A form has {FORM_BYTES_MAX} bytes at most.");
                return Err(QueryError::invalid_parameter(message));
            }
            body => std::str::from_utf8(body)
                .map_err(|_| QueryError::invalid_parameter("The form is not UTF-8.".to_owned()))?,
        };
        if form.split('&').nth(PARAMETERS_MAX).is_some() {
            let message = format!("A form has {PARAMETERS_MAX} parameters at most.");
            return Err(QueryError::invalid_parameter(message));
        }
        if repeated_name(form).is_some() {
            let message = "A parameter is there more than once.".to_owned();
            return Err(QueryError::invalid_parameter(message));
        }
        let parameters = form_pairs(form);
        if !parameters.iter().all(|(name, _)| is_numbered(name)) {
            let message = "Items of a list are numbered by digits, without zeros before them.";
            return Err(QueryError::invalid_parameter(message.to_owned()));
        }
        let action = parameters.iter().find(|(name, _)| name == "Action");
        let action = action.map(|(_, value)| value.clone()).unwrap_or_default();
        Ok(Self { action, parameters })
    }

    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The items of a list in the order of their numbers, each with its members by name; an item
    /// that is a text itself has that under no name.
    ///
    /// ```text
    ///   Tags.member.1.Key=team & Tags.member.1.Value=a      [{Key: team, Value: a}]
    /// ```
    pub fn list(&self, name: &str) -> Vec<BTreeMap<&str, &str>> {
        let mut items = BTreeMap::<u32, BTreeMap<&str, &str>>::new();
        for (key, value) in &self.parameters {
            let rest = key
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix(".member."));
            let Some(rest) = rest else { continue };
            let (number, member) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(number) = number.parse() {
                let item = items.entry(number).or_default();
                item.entry(member).or_insert(value);
            }
        }
        items.into_values().collect()
    }
}

/// Whether the number of each list's item in a name is written in the one way: `01` would be another name
/// for the same item.
fn is_numbered(name: &str) -> bool {
    let is_number = |part: &str| {
        let plain = part.bytes().all(|byte| byte.is_ascii_digit());
        plain && !part.starts_with('0') && (1..=9).contains(&part.len())
    };
    let mut rests = name.split(".member.").skip(1);
    rests.all(|rest| is_number(rest.split('.').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str) -> Parts {
        http::Request::builder()
            .uri(target)
            .body(())
            .unwrap()
            .into_parts()
            .0
    }

    #[test]
    fn the_action_is_in_the_body_or_the_query() {
        let body = Query::parse(
            &parts("/"),
            b"Action=GetCallerIdentity&Version=2011-06-15&X=a+b%26",
        )
        .unwrap();
        assert_eq!(body.action, "GetCallerIdentity");
        assert_eq!(body.parameter("X"), Some("a b&"));
        assert_eq!(
            Query::parse(&parts("/?Action=AssumeRole"), b"")
                .unwrap()
                .action,
            "AssumeRole"
        );
    }

    #[test]
    fn a_form_is_read_in_one_way_or_refused() {
        let target = parts("/?Action=GetCallerIdentity");
        let large = vec![b'a'; FORM_BYTES_MAX + 1];
        let many = "&".repeat(PARAMETERS_MAX);
        for form in [
            &b"Action=a&Action=b"[..],
            b"Action=a&%41ction=a",
            b"T.member.1.K=a&T.member.1.K=a",
            b"\xff",
            &large,
            many.as_bytes(),
        ] {
            let refused = Query::parse(&target, form).unwrap_err();
            assert_eq!(refused.code, "InvalidQueryParameter");
        }
        let twice = parts("/?Action=a&Action=b");
        assert!(Query::parse(&twice, b"").is_err());
        // Of two places the body counts.
        assert_eq!(Query::parse(&target, b"Action=b").unwrap().action, "b");
    }

    #[test]
    fn an_item_of_a_list_has_one_name() {
        let parse = |form: &str| Query::parse(&parts("/"), form.as_bytes());
        for form in [
            "PolicyDocument=a&PolicyDocument=b",
            "Tags.member.1.Key=a&Tags.member.1.Key=b",
            "Tags.member.1.Key=a&Tags.member.01.Key=b",
            "Tags.member.%2B1.Key=a",
            "Tags.member.x.Key=a",
            "Tags.member..Key=a",
            "Tags.member.99999999999.Key=a",
        ] {
            assert!(parse(form).is_err(), "{form}");
        }
        for form in [
            "Action=TagRole&Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.12.Key=c",
            "Action=X&TagKeys.member.1=a&TagKeys.member.2=b",
        ] {
            assert!(parse(form).is_ok(), "{form}");
        }
    }

    #[test]
    fn lists_are_read_by_their_numbers() {
        let form = b"T.member.10.K=c&T.member.2.K=b&T.member.2.V=x\
            &T.member.1=a&TT.member.1=no&T=no";
        let query = Query::parse(&parts("/"), form).unwrap();
        let expected = [
            BTreeMap::from([("", "a")]),
            BTreeMap::from([("K", "b"), ("V", "x")]),
            BTreeMap::from([("K", "c")]),
        ];
        assert_eq!(query.list("T"), expected);
        assert!(query.list("Other").is_empty());
    }
}
