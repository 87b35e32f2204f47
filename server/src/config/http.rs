//! Settings for requests and answers: addresses, how clients come to them, limits on what is read at once, and the speed
//! of results.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::{Deserialize, Serialize};
use types::limits::{STREAM_BURST_BYTES, STREAM_BYTES_PER_SECOND};

use super::Config;

/// The operator's own address.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Where `/metrics`, `/readyz` and their like are served; port 0 takes a free one, an empty text none at all.
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
    /// Balancers in front: addresses, and nets of addresses. What they say of a client's address counts.
    pub(crate) balancers: Vec<String>,
    /// Whether each of their connections begins with a header of the PROXY protocol.
    pub(crate) proxy_protocol: bool,
    pub(crate) tls: Tls,
}

/// TLS for clients; without files they speak plain HTTP.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    /// A file in PEM form: the certificate, and those by which it is trusted.
    pub(crate) certificate: PathBuf,
    /// A file in PEM form: its private key, not encrypted.
    pub(crate) key: PathBuf,
}

impl Tls {
    /// Both files, or none.
    pub(crate) fn files(&self) -> anyhow::Result<Option<(&Path, &Path)>> {
        let Self { certificate, key } = self;
        match (
            certificate.as_os_str().is_empty(),
            key.as_os_str().is_empty(),
        ) {
            (true, true) => Ok(None),
            (false, false) => Ok(Some((certificate, key))),
            _ => bail!("requests.tls: certificate and key are needed, or neither"),
        }
    }
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Urls {
    /// `http`, or `https` where a proxy in front ends TLS; empty for what is spoken here.
    pub(crate) scheme: String,
    /// What follows `<id>.lambda-url.<region>.` in their addresses, with the port if need be. Empty:
    /// `localhost` and the port listened on.
    pub(crate) domain: String,
}

impl Config {
    /// The scheme of function URLs and of links to code.
    pub(crate) fn url_scheme(&self) -> anyhow::Result<&str> {
        match self.urls.scheme.as_str() {
            "" if self.requests.tls.files()?.is_some() => Ok("https"),
            "" => Ok("http"),
            given @ ("http" | "https") => Ok(given),
            other => bail!("urls.scheme: {other} is neither http nor https"),
        }
    }
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
            balancers: Vec::new(),
            proxy_protocol: false,
            tls: Tls::default(),
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
