//! Who is at the other end: roles, as certificates name them.
//!
//! A process has one certificate of the cluster's authority. Its DNS names say what the process is:
//!
//! ```text
//!   frontend.role.lambent   one for each of its roles
//!   h1.host.lambent         its host
//!   a.zone.lambent          its zone
//! ```
//!
//! A caller connects to a role by its name, so that TLS itself refuses a process that has not that role; a callee reads
//! the names of the caller's certificate.

use std::fmt::Write as _;

use rustls::pki_types::CertificateDer;
use types::Role;
use webpki::EndEntityCert;

/// The DNS name in the certificate of a process that has a role.
pub fn dns_name(role: Role) -> String {
    format!("{}{ROLE}", role.word())
}

const ROLE: &str = ".role.lambent";
const HOST: &str = ".host.lambent";
const ZONE: &str = ".zone.lambent";

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
        for name in certificate.valid_dns_names() {
            if let Some(word) = name.strip_suffix(ROLE) {
                let known = Role::ALL.into_iter();
                peer.roles.extend(known.filter(|role| role.word() == word));
            } else if let Some(host) = name.strip_suffix(HOST) {
                host.clone_into(&mut peer.host);
            } else if let Some(zone) = name.strip_suffix(ZONE) {
                zone.clone_into(&mut peer.zone);
            }
        }
        peer
    }
}
