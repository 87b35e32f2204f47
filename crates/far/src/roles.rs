//! Who is at the other end, as its certificate says: see [`api::enrolment`].
//!
//! A caller connects to a role by its name, so that TLS itself refuses a process that has not that role; a callee reads
//! the names of the caller's certificate.

use std::fmt::Write as _;

use api::enrolment::Holder;
use rustls::pki_types::CertificateDer;
use types::Role;
use webpki::EndEntityCert;

/// The other end of a connection, as its certificate says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peer {
    /// What it may act as.
    pub roles: Vec<Role>,
    /// Its host.
    pub host: String,
    /// Its availability zone.
    pub zone: String,
    /// The serial number of its certificate, in lower case hex, two digits for each byte, without zeros in front.
    pub serial: String,
}

impl Peer {
    /// Reads a certificate whose chain TLS has verified. One that names nothing of ours is a peer without roles.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut peer = Self::default();
        let Ok(certificate) = EndEntityCert::try_from(certificate) else {
            return peer;
        };
        for byte in certificate.serial().iter().skip_while(|byte| **byte == 0) {
            let _ = write!(peer.serial, "{byte:02x}");
        }
        let holder = Holder::named(certificate.valid_dns_names());
        Self {
            roles: holder.roles.into_iter().collect(),
            host: holder.host,
            zone: holder.zone,
            ..peer
        }
    }
}
