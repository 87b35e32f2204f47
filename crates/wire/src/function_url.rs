//! Which function URL is a request for? By host name, or by path where there are no such names.
//!
//! ```text
//!   <id>.lambda-url.<region>.<domain>      /any/path
//!   any host                               /lambda-url/<id>/any/path
//! ```

use http::request::Parts;

use crate::authority::authority;

/// What paths begin with that name a URL.
const PATH: &str = "/lambda-url/";
/// What stands behind the id in a host name.
const LABEL: &str = ".lambda-url.";
/// The longest id read. Ours have 32 characters; a label of a host name has 63 at most.
const ID_BYTES_MAX: usize = 63;

/// A function URL, and the request to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target<'r> {
    /// The URL's id. There may be none such.
    pub id: String,
    /// The region in the host's name, in which the URL must be.
    pub region: Option<String>,
    /// The path as the function sees it, not decoded.
    pub path: &'r str,
}

impl<'r> Target<'r> {
    /// The URL that a request is for; `None` if it is for something else. A request without one
    /// host, which is refused before anybody asks, is for none.
    pub fn of(parts: &'r Parts) -> Option<Self> {
        Self::find(authority(parts).ok()?, parts.uri.path())
    }

    fn find(host: &str, path: &'r str) -> Option<Self> {
        if let Some((id, region)) = in_host(host) {
            let path = if path.is_empty() { "/" } else { path };
            let region = Some(region);
            return Some(Self { id, region, path });
        }
        let rest = path.strip_prefix(PATH)?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (id, path) = rest.split_at(end);
        let path = if path.is_empty() { "/" } else { path };
        let id = id.to_owned();
        is_id(&id).then_some(Self {
            id,
            region: None,
            path,
        })
    }
}

/// The id and the region of such a host name.
fn in_host(host: &str) -> Option<(String, String)> {
    let (id, rest) = host.split_once('.')?;
    // Most hosts have no such label: checked before anything is copied.
    let label = rest.get(..LABEL.len() - 1)?;
    if !label.eq_ignore_ascii_case(&LABEL[1..]) {
        return None;
    }
    // A region, and something behind it.
    let (region, domain) = rest[label.len()..].split_once('.')?;
    let id = id.to_ascii_lowercase();
    let region = region.to_ascii_lowercase();
    (is_id(&id) && !region.is_empty() && !domain.is_empty()).then_some((id, region))
}

fn is_id(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(host: &str, path: &str, expected: Option<(&str, &str)>) {
        let found = Target::find(host, path);
        let found = found
            .as_ref()
            .map(|target| (target.id.as_str(), target.path));
        assert_eq!(found, expected, "{host} {path}");
    }

    #[test]
    fn a_url_is_named_by_host_or_by_path() {
        check(
            "abc1.lambda-url.us-east-1.localhost:9100",
            "/a/b",
            Some(("abc1", "/a/b")),
        );
        check("ABC1.Lambda-URL.us-east-1.on.aws", "/", Some(("abc1", "/")));
        check("127.0.0.1:9100", "/lambda-url/abc1", Some(("abc1", "/")));
        check(
            "127.0.0.1:9100",
            "/lambda-url/abc1/a%20b/",
            Some(("abc1", "/a%20b/")),
        );
        // The host counts first, so that a function may have any path.
        check(
            "abc1.lambda-url.us-east-1.x",
            "/lambda-url/other/",
            Some(("abc1", "/lambda-url/other/")),
        );
    }

    #[test]
    fn a_host_names_the_region_and_a_path_none() {
        let region = |host, path| Target::find(host, path).unwrap().region;
        let host = "abc1.lambda-url.EU-west-1.localhost:9100";
        assert_eq!(region(host, "/").as_deref(), Some("eu-west-1"));
        assert_eq!(region("127.0.0.1:9100", "/lambda-url/abc1/"), None);
    }

    #[test]
    fn anything_else_is_for_somebody_else() {
        for host in [
            "",
            "localhost",
            "lambda.us-east-1.localhost",
            "abc.lambda-url.",
            "abc.lambda-url.us-east-1",
            "abc.lambda-url.us-east-1.",
            "a_c.lambda-url.us-east-1.x",
            ".lambda-url.us-east-1.x",
            "ä.lambdä-url.x.y",
        ] {
            check(host, "/2015-03-31/functions", None);
        }
        check("x", "/lambda-url/", None);
        check("x", "/lambda-url//a", None);
        check("x", "/lambda-url/A", None);
    }

    proptest! {
        #[test]
        fn no_host_or_path_panics(host in ".{0,60}", path in ".{0,60}") {
            let _ = Target::find(&host, &path);
            let _ = Target::find(&format!("a.lambda-url.{host}"), &format!("{PATH}{path}"));
        }
    }
}
