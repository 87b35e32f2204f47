//! What we ask of S3: single objects. Buckets are named in the path, which every store that speaks
//! S3's protocol understands.

use bytes::Bytes;
use http::{Method, StatusCode};
use types::Region;
use wire::uri::encode;
use wire::xml::Element;

use crate::client::{Client, Request};
use crate::endpoint::{Endpoint, Keys};
use crate::error::Error;

/// SHA-256 of an empty body, which S3 requires.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// An object, or one version of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// The bucket it is in.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// The version, where the bucket keeps several; the newest without.
    pub version: Option<String>,
}

/// What S3 said instead of giving the object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// `NoSuchKey`, `AccessDenied` …
    pub code: String,
    /// In its words.
    pub message: String,
}

/// Reads an object of at most `bytes_max` bytes.
pub async fn get_object(
    client: &Client,
    (endpoint, keys, region): (&Endpoint, Option<&Keys>, &Region),
    object: &Object,
    bytes_max: usize,
) -> Result<Result<Bytes, Refusal>, Error> {
    let target = target(object);
    let answer = client.send(Request {
        endpoint,
        service: "s3",
        region,
        keys,
        method: Method::GET,
        target: &target,
        headers: &[("x-amz-content-sha256", EMPTY_SHA256)],
        body: Bytes::new(),
        answer_bytes_max: bytes_max,
    });
    let (parts, body) = answer.await?.into_parts();
    match parts.status {
        StatusCode::OK => Ok(Ok(body)),
        status => Ok(Err(refusal(status, &String::from_utf8_lossy(&body)))),
    }
}

fn target(object: &Object) -> String {
    let key: Vec<String> = object.key.split('/').map(encode).collect();
    let (bucket, key) = (encode(&object.bucket), key.join("/"));
    match &object.version {
        None => format!("/{bucket}/{key}"),
        Some(version) => format!("/{bucket}/{key}?versionId={}", encode(version)),
    }
}

/// From `<Error><Code>…</Code><Message>…</Message></Error>`.
fn refusal(status: StatusCode, body: &str) -> Refusal {
    let document = Element::parse(body);
    let element = |name: &str| document.as_ref()?.text_of(name).map(str::to_owned);
    // Some stores leave it at the status.
    let (code, words) = match status {
        StatusCode::FORBIDDEN => ("AccessDenied", "Access Denied"),
        _ => (status.as_str(), status.canonical_reason().unwrap_or("None")),
    };
    Refusal {
        code: element("Code").unwrap_or_else(|| code.to_owned()),
        message: element("Message").unwrap_or_else(|| words.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(key: &str, version: Option<&str>) -> Object {
        Object {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            version: version.map(str::to_owned),
        }
    }

    #[test]
    fn keys_may_have_any_characters() {
        assert_eq!(target(&object("a/b c.zip", None)), "/b/a/b%20c.zip");
        assert_eq!(
            target(&object("ü?#", Some("v 1"))),
            "/b/%C3%BC%3F%23?versionId=v%201"
        );
        assert_eq!(target(&object("../x//y", None)), "/b/../x//y");
    }

    #[test]
    fn refusals_are_read_from_their_xml() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code>\
                   <Message>It&apos;s &lt;gone&gt;.</Message></Error>";
        let expected = Refusal {
            code: "NoSuchKey".to_owned(),
            message: "It's <gone>.".to_owned(),
        };
        assert_eq!(refusal(StatusCode::NOT_FOUND, xml), expected);
        let plain = refusal(StatusCode::FORBIDDEN, "no");
        assert_eq!(
            (plain.code.as_str(), plain.message.as_str()),
            ("AccessDenied", "Access Denied")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn nothing_makes_reading_panic(
            body in "(<Code>|</Code>|<Message>|&lt;|\\PC){0,12}", key in "\\PC{1,30}",
        ) {
            let _ = refusal(StatusCode::NOT_FOUND, &body);
            let endpoint = Endpoint::parse("http://h").unwrap();
            prop_assert!(endpoint.uri(&target(&object(&key, None))).is_ok());
        }
    }
}
