//! `X-Amzn-Trace-Id`: taken from the caller if valid, generated otherwise.
//!
//! ```text
//!   Root=1-<8 hex: seconds>-<24 hex>;Parent=<16 hex>;Sampled=0|1[;Lineage=<8 hex>:<passes>|…]
//! ```

use data_encoding::HEXLOWER;
use types::{Random, Timestamp};
use wire::lineage;
use wire::uri::decode;

/// The longest header taken over; X-Ray's own are about 100 bytes.
const BYTES_MAX: usize = 512;

/// A trace, as the function and the caller see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    root: String,
    parent: String,
    sampled: bool,
    /// How the chain of calls that this one belongs to came here, if it tells: `Lineage=…`.
    lineage: Option<String>,
}

impl Trace {
    /// The caller's, or a new one that is not sampled.
    pub fn new(header: Option<&str>, random: &dyn Random, now: Timestamp) -> Self {
        let header = header
            .filter(|text| text.len() <= BYTES_MAX)
            .unwrap_or_default();
        // SDKs escape what they hand on: a lineage of two functions comes with `%7C` between them.
        let header = &*decode(header).unwrap_or(header.into());
        let field = |name: &str| {
            header.split(';').find_map(|part| {
                let (key, value) = part.trim().split_once('=')?;
                key.eq_ignore_ascii_case(name).then_some(value)
            })
        };
        let mut bytes = [0; 20];
        random.fill(&mut bytes);
        let root = match field("Root").filter(|root| is_root(root)) {
            Some(root) => root.to_owned(),
            None => format!("1-{:08x}-{}", now.as_secs(), HEXLOWER.encode(&bytes[..12])),
        };
        let parent = match field("Parent").filter(|parent| is_hex(parent, 16)) {
            Some(parent) => parent.to_owned(),
            None => HEXLOWER.encode(&bytes[12..]),
        };
        Self {
            root,
            parent,
            sampled: field("Sampled") == Some("1"),
            lineage: lineage::part(header),
        }
    }

    /// As the runtime gets it.
    pub fn for_function(&self) -> String {
        let Self {
            root,
            parent,
            sampled,
            lineage,
        } = self;
        let sampled = u8::from(*sampled);
        let trace = format!("Root={root};Parent={parent};Sampled={sampled}");
        match lineage {
            Some(lineage) => format!("{trace};{lineage}"),
            None => trace,
        }
    }

    /// As the caller gets it.
    pub fn for_caller(&self) -> String {
        format!("root={};sampled={}", self.root, u8::from(self.sampled))
    }
}

fn is_root(text: &str) -> bool {
    let mut parts = text.split('-');
    parts.next() == Some("1")
        && parts.next().is_some_and(|seconds| is_hex(seconds, 8))
        && parts.next().is_some_and(|rest| is_hex(rest, 24))
        && parts.next().is_none()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use types::SystemRandom;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_769_854_830_123);

    #[test]
    fn a_callers_trace_is_kept() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let trace = Trace::new(Some(header), &SystemRandom, NOW);
        assert_eq!(trace.for_function(), header);
        assert_eq!(
            trace.for_caller(),
            "root=1-5759e988-bd862e3fe1be46a994272793;sampled=1"
        );
    }

    #[test]
    fn the_lineage_of_a_chain_is_handed_on() {
        let trace = Trace::new(Some("Lineage=a87bd80c:3|zz"), &SystemRandom, NOW);
        assert!(
            trace
                .for_function()
                .ends_with(";Sampled=0;Lineage=a87bd80c:3")
        );
        assert!(!trace.for_caller().contains("ineage"));
        let escaped = Trace::new(Some("Lineage=a87bd80c:3%7c68fd508a:5"), &SystemRandom, NOW);
        let expected = ";Lineage=a87bd80c:3|68fd508a:5";
        assert!(escaped.for_function().ends_with(expected));
    }

    #[test]
    fn nonsense_gets_a_trace_of_its_own() {
        for header in [
            None,
            Some(""),
            Some("Root=x;Sampled=2"),
            Some("Root=1-\r\n-;Parent=;;="),
        ] {
            let trace = Trace::new(header, &SystemRandom, NOW).for_function();
            assert!(trace.starts_with("Root=1-697dd76e-"), "{trace}");
            assert!(trace.ends_with(";Sampled=0"), "{trace}");
        }
    }
}
