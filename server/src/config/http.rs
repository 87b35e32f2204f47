//! Settings for requests and answers: addresses, limits on what is read at once, and the speed of results.

use serde::{Deserialize, Serialize};
use types::limits::{STREAM_BURST_BYTES, STREAM_BYTES_PER_SECOND};

/// The operator's own address.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Where `/metrics` and `/health` are served; port 0 takes a free one, an empty text none at all.
    pub(crate) listen: String,
}

impl Admin {
    /// The default address. Only this one is replaced by a free port if it is taken: a second
    /// server on a machine must not fail because of an address that nobody asked for.
    pub(crate) const DEFAULT: &str = "127.0.0.1:9101";

    /// Whether a free port will do as well.
    pub(crate) fn gives_way(&self) -> bool {
        self.listen == Self::DEFAULT
    }
}

/// What requests may take before anybody knows who sent them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Requests {
    /// Connections at a time.
    pub(crate) connections: usize,
    /// Connections of one address at a time; of IPv6, of one network of 64 bits.
    pub(crate) connections_per_address: usize,
    /// MB of heads and bodies that are being read or wait for their answers, without the first
    /// 24 KB of each; 0 for an eighth of the machine's memory, from 128 to 1 024.
    pub(crate) memory_mb: u64,
}

/// Results that are streamed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Streaming {
    /// Bytes of each that go as fast as they come.
    pub(crate) burst_bytes: u64,
    /// Bytes a second of the rest; 0 for no bound.
    pub(crate) bytes_per_second: u64,
}

/// Function URLs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Urls {
    /// `http`, or `https` where a proxy in front ends TLS.
    pub(crate) scheme: String,
    /// What follows `<id>.lambda-url.<region>.` in their addresses, with the port if need be. Empty:
    /// `localhost` and the port listened on.
    pub(crate) domain: String,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: Self::DEFAULT.to_owned(),
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 5_000,
            memory_mb: 0,
        }
    }
}

impl Default for Streaming {
    fn default() -> Self {
        Self {
            burst_bytes: STREAM_BURST_BYTES,
            bytes_per_second: STREAM_BYTES_PER_SECOND,
        }
    }
}

impl Default for Urls {
    fn default() -> Self {
        Self {
            scheme: "http".to_owned(),
            domain: String::new(),
        }
    }
}
