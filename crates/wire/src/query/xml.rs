//! Answers of the query protocol: XML in the form that AWS's SDKs read.
//!
//! The one place where XML is written. Answers are elements whose names the code knows, around texts that it does not,
//! and the white space between them is part of the form: all that a library could add is how texts are escaped,
//! which is ten lines. What they say, [`crate::xml`] reads back in a test.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use types::RequestId;

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

/// The whole answer.
pub(super) fn xml_response(
    status: StatusCode,
    xml: String,
    request_id: RequestId,
) -> Response<Bytes> {
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
            // As it is, a reader takes it for a part of a line's end.
            '\r' => out += "&#13;",
            '\t' | '\n' => out.push(character),
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
    use crate::query::{QueryError, STS_NAMESPACE};
    use crate::sigv4;

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
        let text = "a\0b\u{1b}c\u{fffe}d\u{ffff}e\tf&\u{fffd}\r\n";
        assert_eq!(escaped(text), "abcde\tf&amp;\u{fffd}&#13;\n");
    }
}
