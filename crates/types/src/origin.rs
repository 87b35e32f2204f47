//! Where a request came from, as the front door knows it and tells everybody behind it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// The client's address: never that of a balancer which said whom it speaks for. An IPv4 address is written as one.
    pub address: IpAddr,
    /// How the client sent it.
    pub transport: Transport,
}

/// How a client sends a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Over TLS, to us or to a balancer that is believed.
    Tls,
    /// Not over TLS.
    Plain,
    /// It came here without TLS, perhaps through a proxy that nobody told us of.
    Unknown,
}

impl Origin {
    /// Whether it certainly came over TLS.
    pub fn is_secure(self) -> bool {
        self.transport == Transport::Tls
    }

    /// The scheme of an address by which the client reaches us; `usual` where it is not known.
    pub fn scheme(self, usual: &str) -> &str {
        match self.transport {
            Transport::Tls => "https",
            Transport::Plain => "http",
            Transport::Unknown => usual,
        }
    }
}
