//! Which host is a request for? One answer, for the signature and for the way it is taken.
//!
//! ```text
//!   GET /path HTTP/1.1            Host: a          a
//!   GET http://a/path HTTP/1.1    Host: a          a
//!   GET http://b/path HTTP/1.1    Host: a          refused: what was signed for a would reach b
//! ```
//!
//! By the HTTP standard the request line wins over a `Host` that differs, and a proxy
//! replaces that header. A request in which both are there and differ has seen neither
//! rule, and no client sends it.

use http::header::HOST;
use http::request::Parts;
use http::{Method, Version};

/// A request that names no host, or more than one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadAuthority {
    /// HTTP/1.1 asks for one `Host` header.
    #[error("The request has no Host header.")]
    Missing,
    /// There are two or more.
    #[error("The request has more than one Host header.")]
    Repeated,
    /// The request line's is another than the header's.
    #[error("The request line and the Host header name different hosts.")]
    Different,
    /// It is empty, has a user's name before it, or is not a host.
    #[error("The request's host is not a host name with an optional port.")]
    Malformed,
}

/// The host that a request is for, with its port as it was sent. Empty if it names none, which
/// only HTTP/1.0 may.
pub fn authority(parts: &Parts) -> Result<&str, BadAuthority> {
    let mut headers = parts.headers.get_all(HOST).iter();
    let header = match headers.next() {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_| BadAuthority::Malformed)?),
    };
    if headers.next().is_some() {
        return Err(BadAuthority::Repeated);
    }
    // The tunnel's end that CONNECT names is not the host it is sent to.
    let line = parts.uri.authority().map(|authority| authority.as_str());
    let line = line.filter(|_| parts.method != Method::CONNECT);
    let host = match (line, header) {
        (Some(line), Some(header)) if !line.eq_ignore_ascii_case(header) => {
            return Err(BadAuthority::Different);
        }
        // As it was signed.
        (_, Some(header)) => header,
        (Some(line), None) => line,
        (None, None) if parts.version < Version::HTTP_11 => return Ok(""),
        (None, None) => return Err(BadAuthority::Missing),
    };
    match is_host(host) {
        true => Ok(host),
        false => Err(BadAuthority::Malformed),
    }
}

/// A name or an address, and perhaps a port. Names are not looked into.
fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b':'
                    | b'['
                    | b']'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b';'
                    | b'='
            )
    };
    !text.is_empty() && !text.starts_with(':') && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check(target: &str, hosts: &[&str], version: Version, expected: Result<&str, BadAuthority>) {
        let mut request = Request::builder().uri(target).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(authority(&parts), expected, "{target} {hosts:?}");
    }

    #[test]
    fn a_request_is_for_one_host_or_refused() {
        use BadAuthority::*;
        const NOW: Version = Version::HTTP_11;
        check("/", &["a"], NOW, Ok("a"));
        check("/", &["a:80"], NOW, Ok("a:80"));
        check("/", &["[::1]:9100"], NOW, Ok("[::1]:9100"));
        check("http://a/", &["a"], NOW, Ok("a"));
        check("http://a/", &["A"], NOW, Ok("A"));
        check("http://a/", &[], NOW, Ok("a"));
        check("http://b/", &["a"], NOW, Err(Different));
        check("http://a:80/", &["a"], NOW, Err(Different));
        check("http://a./", &["a"], NOW, Err(Different));
        check("http://u@a/", &["a"], NOW, Err(Different));
        check("http://u@a/", &["u@a"], NOW, Err(Malformed));
        check("http://u:p@a/", &[], NOW, Err(Malformed));
        check("/", &["a", "a"], NOW, Err(Repeated));
        check("/", &["a", "b"], NOW, Err(Repeated));
        check("http://a/", &["a", "b"], NOW, Err(Repeated));
        check("/", &[], NOW, Err(Missing));
        check("/", &[], Version::HTTP_10, Ok(""));
        for host in [
            "", " ", ":80", "a b", "a,b", "a/b", "a\\b", "a#", "a?", "a\tb", "\"a\"",
        ] {
            check("/", &[host], NOW, Err(Malformed));
        }
    }
}
