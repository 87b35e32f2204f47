//! Where a service is, and who calls it.

use api::Secret;
use http::Uri;
use http::uri::{Authority, Scheme};

use crate::Error;

/// Where a service is: `http://host:port` or `https://host`, with nothing behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    scheme: Scheme,
    authority: Authority,
}

/// An access key that calls are signed with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// The session token of a temporary key.
    pub session_token: Option<Secret>,
}

impl Endpoint {
    /// Reads an endpoint's URL.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Endpoint {
            text: text.to_owned(),
        };
        let parts = text.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let path = parts.path_and_query.as_ref().map_or("/", |p| p.as_str());
        match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority))
                if (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
                    && path == "/"
                    && !authority.as_str().contains('@') =>
            {
                Ok(Self { scheme, authority })
            }
            _ => Err(wrong()),
        }
    }

    /// Whether it is called by TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// `host:port`, as the `Host` header has it.
    pub(crate) fn host(&self) -> &str {
        self.authority.as_str()
    }

    /// The URL of a path and query there.
    pub(crate) fn uri(&self, target: &str) -> Result<Uri, Error> {
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target)
            .build();
        uri.map_err(|_| Error::Endpoint {
            text: target.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_plain_urls() {
        let endpoint = Endpoint::parse("http://127.0.0.1:9000").unwrap();
        assert_eq!(endpoint.host(), "127.0.0.1:9000");
        let uri = endpoint.uri("/bucket/a%20b?versionId=1").unwrap();
        assert_eq!(uri, "http://127.0.0.1:9000/bucket/a%20b?versionId=1");
        assert!(Endpoint::parse("https://s3.us-east-1.amazonaws.com/").is_ok());
        for bad in [
            "",
            "127.0.0.1:9000",
            "ftp://host",
            "http://host/path",
            "http://host?x=1",
            "http://user:secret@host",
            "http://",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
