//! The query protocol of STS: a form in, XML out.
//!
//! ```text
//!   Action=GetCallerIdentity&Version=2011-06-15
//!   <GetCallerIdentityResponse xmlns="…"><GetCallerIdentityResult>…</GetCallerIdentityResult>
//!     <ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></GetCallerIdentityResponse>
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, request::Parts};
use types::{ForCallers as _, RequestId};

use crate::sigv4;
use crate::uri::{form_pairs, repeated_name};

/// Name space of IAM's answers.
pub const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// Name space of STS's answers.
pub const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The largest form read, bytes. The longest parameter of STS, a SAML assertion, is 100 000.
pub const FORM_BYTES_MAX: usize = 512 * 1024;

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

/// An error of the query protocol.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct QueryError {
    /// HTTP status.
    pub status: StatusCode,
    /// `Code`.
    pub code: &'static str,
    /// `Message`.
    pub message: String,
}

impl QueryError {
    /// No such access key.
    pub fn invalid_client_token() -> Self {
        let message = "The security token included in the request is invalid.".to_owned();
        Self {
            status: StatusCode::FORBIDDEN,
            code: "InvalidClientTokenId",
            message,
        }
    }

    /// The session of a temporary key has ended.
    pub fn expired_token() -> Self {
        let message = "The security token included in the request is expired".to_owned();
        Self {
            status: StatusCode::FORBIDDEN,
            code: "ExpiredToken",
            message,
        }
    }

    /// The caller may not do this.
    pub fn access_denied(message: String) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "AccessDenied",
            message,
        }
    }

    /// The request breaks the model's constraints.
    pub fn validation(message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "ValidationError",
            message,
        }
    }

    /// The form does not adhere to the protocol.
    pub fn invalid_parameter(message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "InvalidQueryParameter",
            message,
        }
    }

    /// There is no such action.
    pub fn invalid_action(action: &str, version: &str) -> Self {
        let message = format!("Could not find operation {action} for version {version}");
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "InvalidAction",
            message,
        }
    }

    /// Part of the public model, but not of this system yet.
    pub fn not_implemented(action: &str) -> Self {
        let message = format!("Lambent does not implement {action} yet");
        Self {
            status: StatusCode::NOT_IMPLEMENTED,
            code: "NotImplemented",
            message,
        }
    }

    /// What is needed to answer cannot be reached.
    pub fn unavailable() -> Self {
        let message = "The service is not available at the moment. Try again.".to_owned();
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "ServiceUnavailable",
            message,
        }
    }

    /// The whole answer, in the name space of the service that was asked.
    pub fn response(&self, namespace: &str, request_id: RequestId) -> Response<Bytes> {
        let fault = if self.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let xml = format!(
            "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{fault}</Type>\n    \
             <Code>{}</Code>\n    <Message>{}</Message>\n  </Error>\n  \
             <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n",
            self.code,
            escaped(&self.message)
        );
        xml_response(self.status, xml, request_id)
    }
}

impl From<sigv4::Error> for QueryError {
    fn from(error: sigv4::Error) -> Self {
        let (code, message) = match &error {
            sigv4::Error::Missing => (
                "MissingAuthenticationToken",
                "Request is missing Authentication Token".to_owned(),
            ),
            sigv4::Error::Incomplete { .. } => ("IncompleteSignature", error.told()),
            sigv4::Error::Time { .. }
            | sigv4::Error::Scope { .. }
            | sigv4::Error::Mismatch { .. } => ("SignatureDoesNotMatch", error.told()),
        };
        Self {
            status: StatusCode::FORBIDDEN,
            code,
            message,
        }
    }
}

/// One member of a result.
pub fn member(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// A member with members.
pub fn group(name: &str, inside: &str) -> String {
    format!("<{name}>{inside}</{name}>")
}

/// The answer to an action: its result, which is XML already. Between elements is either nothing or
/// white space with a line's end in it: the SDK for JavaScript takes any other for the result's text.
pub fn answer_xml(
    namespace: &str,
    action: &str,
    members: &str,
    request_id: RequestId,
) -> Response<Bytes> {
    let members = members.trim_end();
    let xml = format!(
        "<{action}Response xmlns=\"{namespace}\">\n  <{action}Result>\n{members}\n  \
         </{action}Result>\n  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  \
         </ResponseMetadata>\n</{action}Response>\n"
    );
    xml_response(StatusCode::OK, xml, request_id)
}

fn xml_response(status: StatusCode, xml: String, request_id: RequestId) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(xml));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("text/xml"),
    );
    let id = HeaderValue::from_str(&request_id.to_string()).expect("a UUID is a header value");
    headers.insert("x-amzn-requestid", id);
    response
}

/// `text` with what XML reserves written as entities, and without what XML 1.0 cannot hold.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\t' | '\n' | '\r' => out.push(character),
            '\u{fffe}' | '\u{ffff}' => {}
            character if character.is_control() => {}
            character => out.push(character),
        }
    }
    out
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
    fn white_space_between_elements_has_a_lines_end() {
        let id = RequestId::from_uuid(Default::default());
        for members in ["<User><Path>/</Path></User>", "    <Arn>a</Arn>\n", ""] {
            let response = answer_xml("n", "GetUser", members, id);
            let text = String::from_utf8(response.body().to_vec()).unwrap();
            let gaps = text
                .split('>')
                .map(|piece| piece.split('<').next().unwrap());
            for gap in gaps.filter(|gap| !gap.is_empty() && gap.trim().is_empty()) {
                assert!(gap.contains('\n'), "{text}");
            }
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

    #[test]
    fn answers_are_xml_with_nothing_of_the_callers_in_its_markup() {
        let id = RequestId::from_uuid(Default::default());
        let result = member("Account", "a<b>&\u{1}");
        let response = answer_xml(STS_NAMESPACE, "GetCallerIdentity", &result, id);
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(text.contains("<Account>a&lt;b&gt;&amp;</Account>"));
        let error = QueryError::from(sigv4::Error::Missing).response(STS_NAMESPACE, id);
        assert_eq!(error.status(), 403);
        let text = String::from_utf8(error.body().to_vec()).unwrap();
        assert!(text.contains("<Code>MissingAuthenticationToken</Code>"));
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        let text = "a\0b\u{1b}c\u{fffe}d\u{ffff}e\tf&\u{fffd}";
        assert_eq!(escaped(text), "abcde\tf&amp;\u{fffd}");
    }
}
