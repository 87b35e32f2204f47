//! What extensions can subscribe to: the Telemetry API and the older Logs API, as they ask for it.
//! Pure.
//!
//! ```text
//!   {"schemaVersion":"2022-12-13","types":["platform","function","extension"],
//!    "buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":100},
//!    "destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8080/path"}}
//! ```

use std::ops::RangeInclusive;
use std::time::Duration;

use hyper::Uri;
use types::ForCallers;

use crate::go_json::{Members, Wrong};

/// Where the Runtime API is: nobody else listens there.
const RESERVED_PORT: u16 = 9001;
/// Names by which an extension means itself.
const HOSTS: [&str; 4] = ["sandbox.localdomain", "sandbox", "localhost", "127.0.0.1"];
/// Items of one delivery (AWS).
const ITEMS: RangeInclusive<u64> = 1_000..=10_000;
/// Bytes of one delivery (AWS).
const BYTES: RangeInclusive<u64> = 262_144..=1_048_576;
/// How long items wait for others, milliseconds (AWS).
const TIMEOUT_MS: RangeInclusive<u64> = 25..=30_000;
/// The defaults (AWS).
const DEFAULTS: (u64, u64, u64) = (10_000, 262_144, 1_000);

/// Which API a subscription is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TelemetryApi {
    /// `PUT /2022-07-01/telemetry`.
    Telemetry,
    /// `PUT /2020-08-15/logs`.
    Logs,
}

/// What is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stream {
    /// The platform's events.
    Platform,
    /// What the function prints.
    Function,
    /// What extensions print.
    Extension,
}

/// Where it is to be sent, on the loopback inside of the sandbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// A JSON array in a POST for each delivery.
    Http {
        /// The port.
        port: u16,
        /// The URI's path and query.
        path: String,
    },
    /// A connection that stays, one JSON object a line.
    Tcp {
        /// The port.
        port: u16,
    },
}

/// A subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscription {
    /// Whose form the records have.
    pub api: TelemetryApi,
    /// In the order of [`Stream`], each once.
    pub streams: Vec<Stream>,
    /// Items of one delivery at most.
    pub items_max: usize,
    /// Bytes of one delivery at most, unless one item alone has more.
    pub bytes_max: usize,
    /// How long an item waits for others.
    pub timeout: Duration,
    /// Where to.
    pub destination: Destination,
}

/// Takes subscriptions. The worker has what delivers.
pub trait Telemetry: Send + Sync {
    /// An extension has registered, and may subscribe.
    fn expect(&self);

    /// The extension of that name wants this from now on, instead of what it wanted before of the
    /// same API.
    fn subscribe(&self, extension: &str, subscription: Subscription);
}

/// Why a subscription is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Not of the form above.
    #[error("the body is not a subscription: {0}")]
    Form(#[from] Wrong),
    /// A member breaks a rule.
    #[error("{member}: {rule}")]
    Member {
        member: &'static str,
        rule: &'static str,
    },
}

impl ForCallers for Error {}

impl TelemetryApi {
    fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Telemetry => &["2022-07-01", "2022-12-13", "2025-01-29"],
            Self::Logs => &["2020-08-15", "2021-03-18"],
        }
    }
}

impl Stream {
    /// As subscriptions name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
        }
    }
}

impl Subscription {
    /// Reads what an extension has sent.
    pub(crate) fn parse(api: TelemetryApi, body: &[u8]) -> Result<Self, Error> {
        let mut body = Members::parse(body)?;
        let version = body.text("schemaVersion")?;
        if !version.is_empty() && !api.versions().contains(&version.as_str()) {
            return Err(wrong("schemaVersion", "is not supported"));
        }
        let mut streams = Vec::new();
        for name in &body.texts("types")? {
            let all = [Stream::Platform, Stream::Function, Stream::Extension];
            let stream = all.into_iter().find(|stream| stream.name() == name);
            streams.push(stream.ok_or(wrong("types", "platform, function or extension"))?);
        }
        streams.sort();
        streams.dedup();
        if streams.is_empty() {
            return Err(wrong("types", "at least one"));
        }
        let (items, bytes, timeout) = buffering(&mut body.members("buffering")?)?;
        Ok(Self {
            api,
            streams,
            items_max: usize::try_from(items).unwrap_or(usize::MAX),
            bytes_max: usize::try_from(bytes).unwrap_or(usize::MAX),
            timeout: Duration::from_millis(timeout),
            destination: destination(&mut body.members("destination")?)?,
        })
    }
}

fn buffering(given: &mut Members) -> Result<(u64, u64, u64), Error> {
    let (items, bytes, timeout) = DEFAULTS;
    let items = given.take("maxItems")?.unwrap_or(items);
    let bytes = given.take("maxBytes")?.unwrap_or(bytes);
    let timeout = given.take("timeoutMs")?.unwrap_or(timeout);
    if !ITEMS.contains(&items) {
        return Err(wrong("buffering.maxItems", "1000 to 10000"));
    }
    if !BYTES.contains(&bytes) {
        return Err(wrong("buffering.maxBytes", "262144 to 1048576"));
    }
    if !TIMEOUT_MS.contains(&timeout) {
        return Err(wrong("buffering.timeoutMs", "25 to 30000"));
    }
    Ok((items, bytes, timeout))
}

fn destination(given: &mut Members) -> Result<Destination, Error> {
    if !matches!(given.text("method")?.as_str(), "" | "POST") {
        return Err(wrong("destination.method", "POST"));
    }
    if !matches!(given.text("encoding")?.as_str(), "" | "JSON") {
        return Err(wrong("destination.encoding", "JSON"));
    }
    let (uri, port) = (given.text("URI")?, given.take::<u16>("port")?);
    let destination = match given.text("protocol")?.as_str() {
        "HTTP" => http(&uri)?,
        "TCP" => Destination::Tcp {
            port: port
                .filter(|port| *port > 0)
                .ok_or(wrong("destination.port", "1 to 65535"))?,
        },
        _ => return Err(wrong("destination.protocol", "HTTP or TCP")),
    };
    match destination.port() {
        RESERVED_PORT => Err(wrong("destination", "port 9001 is reserved")),
        _ => Ok(destination),
    }
}

impl Destination {
    /// The port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } => *port,
        }
    }
}

fn http(uri: &str) -> Result<Destination, Error> {
    let uri: Uri = uri
        .parse()
        .map_err(|_| wrong("destination.URI", "an URI"))?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong("destination.URI", "begins with http://"));
    }
    let host = uri.host().unwrap_or_default();
    if !HOSTS.contains(&host) {
        return Err(wrong(
            "destination.URI",
            "its host is sandbox.localdomain or 127.0.0.1",
        ));
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(Destination::Http {
        port: uri.port_u16().unwrap_or(80),
        path: path.to_owned(),
    })
}

const fn wrong(member: &'static str, rule: &'static str) -> Error {
    Error::Member { member, rule }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(api: TelemetryApi, text: &str) -> Result<Subscription, String> {
        Subscription::parse(api, text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn subscriptions_are_read_as_the_book_has_them() {
        let text = r#"{"schemaVersion":"2022-12-13","types":["function","platform","function"],
            "buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},
            "destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8080/a?b"}}"#;
        let read = parse(TelemetryApi::Telemetry, text).unwrap();
        assert_eq!(read.streams, [Stream::Platform, Stream::Function]);
        assert_eq!((read.items_max, read.bytes_max), (1_000, 262_144));
        assert_eq!(read.timeout, Duration::from_millis(25));
        let path = "/a?b".to_owned();
        assert_eq!(read.destination, Destination::Http { port: 8080, path });
        let text = r#"{"types":["extension"],"destination":{"protocol":"TCP","port":7}}"#;
        let read = parse(TelemetryApi::Logs, text).unwrap();
        assert_eq!(read.destination, Destination::Tcp { port: 7 });
        assert_eq!((read.items_max, read.bytes_max), (10_000, 262_144));
        assert_eq!(read.timeout, Duration::from_secs(1));
    }

    #[test]
    fn what_is_none_is_refused_by_the_member_that_is_wrong() {
        let good = r#"{"schemaVersion":"2022-07-01","types":["function"],"buffering":{"maxItems":1000},
            "destination":{"protocol":"HTTP","URI":"http://127.0.0.1:8080"}}"#;
        assert!(parse(TelemetryApi::Telemetry, good).is_ok());
        for (from, to, named) in [
            ("2022-07-01", "2020-08-15", "schemaVersion"),
            ("\"function\"", "\"functions\"", "types"),
            ("\"function\"", "", "types"),
            ("1000", "999", "maxItems"),
            ("\"maxItems\":1000", "\"maxBytes\":1", "maxBytes"),
            ("\"maxItems\":1000", "\"timeoutMs\":24", "timeoutMs"),
            ("HTTP\"", "UDP\"", "protocol"),
            ("HTTP\"", "TCP\"", "port"),
            ("8080", "9001", "9001"),
            ("127.0.0.1", "10.0.0.1", "host"),
            ("http:", "https:", "http://"),
            ("8080\"", "8080\",\"method\":\"PUT\"", "method"),
            ("types", "type", "types"),
            ("\"function\"", "1", "not a subscription"),
        ] {
            let error = parse(TelemetryApi::Telemetry, &good.replace(from, to)).unwrap_err();
            assert!(error.contains(named), "{to}: {error}");
        }
    }

    /// Every member of a subscription, absent, `null`, empty and of another kind: `None` where it then is as the
    /// book has it, else what the refusal names.
    #[test]
    fn null_empty_and_absent_members_of_a_subscription_are_what_go_makes_of_them() {
        const REFUSED: &str = "not a subscription";
        let good = parse(TelemetryApi::Telemetry, &subscription("", "", "")).unwrap();
        for (place, member, null, empty, zero) in [
            (0, "schemaVersion", None, None, Some(REFUSED)),
            (0, "buffering", None, Some(REFUSED), Some(REFUSED)),
            (1, "maxItems", None, Some(REFUSED), Some("maxItems")),
            (1, "maxBytes", None, Some(REFUSED), Some("maxBytes")),
            (1, "timeoutMs", None, Some(REFUSED), Some("timeoutMs")),
            (2, "port", None, Some(REFUSED), None),
            (2, "method", None, None, Some(REFUSED)),
            (2, "encoding", None, None, Some(REFUSED)),
            (2, "METHOD", None, None, Some(REFUSED)),
            (0, "unknown", None, None, None),
        ] {
            for (value, refused) in [("null", null), ("\"\"", empty), ("0", zero)] {
                let mut places = [const { String::new() }; 3];
                places[place] = format!("\"{member}\":{value},");
                let text = subscription(&places[0], &places[1], &places[2]);
                match (parse(TelemetryApi::Telemetry, &text), refused) {
                    (Ok(read), None) => assert_eq!(read, good, "{text}"),
                    (Err(error), Some(named)) => assert!(error.contains(named), "{text}: {error}"),
                    (read, _) => panic!("{text}: {read:?}"),
                }
            }
        }
        for (from, named) in [
            (r#"["function"]"#, "types"),
            (r#""HTTP""#, "protocol"),
            (r#""http://127.0.0.1:80""#, "URI"),
            (
                r#"{"protocol":"HTTP","URI":"http://127.0.0.1:80"}"#,
                "protocol",
            ),
        ] {
            let text = subscription("", "", "");
            assert!(text.contains(from), "{from}");
            let error = parse(TelemetryApi::Telemetry, &text.replace(from, "null")).unwrap_err();
            assert!(error.contains(named), "{from}: {error}");
        }
        let lists = [
            ("[]", "types"),
            ("[null]", "types"),
            ("\"\"", REFUSED),
            ("[1]", REFUSED),
        ];
        for (list, named) in lists {
            let text = subscription("", "", "").replace(r#"["function"]"#, list);
            let error = parse(TelemetryApi::Telemetry, &text).unwrap_err();
            assert!(error.contains(named), "{list}: {error}");
        }
    }

    /// One that is as good as empty, with members to add: to the whole, to its buffering, to its destination.
    fn subscription(whole: &str, buffering: &str, destination: &str) -> String {
        let buffering = match buffering {
            "" => String::new(),
            members => format!("\"buffering\":{{{}}},", members.trim_end_matches(',')),
        };
        format!(
            r#"{{{whole}{buffering}"types":["function"],
            "destination":{{{destination}"protocol":"HTTP","URI":"http://127.0.0.1:80"}}}}"#
        )
        .replace("\n            ", "")
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_subscription_or_refused(body: Vec<u8>, uri: String) {
            let _ = Subscription::parse(TelemetryApi::Logs, &body);
            let _ = http(&uri);
        }
    }
}
