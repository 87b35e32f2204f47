//! Enrolment: the certificate by which a process proves what it is, and how it gets the next one.
//!
//! A certificate's DNS names say what its holder is:
//!
//! ```text
//!   frontend.role.lambent   one for each of its roles
//!   h1.host.lambent         its host
//!   a.zone.lambent          its zone
//! ```

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{Role, Timestamp};

use crate::Kind;

const ROLE: &str = ".role.lambent";
const HOST: &str = ".host.lambent";
const ZONE: &str = ".zone.lambent";

/// The DNS name in the certificate of a process that has a role.
pub fn dns_name(role: Role) -> String {
    format!("{}{ROLE}", role.word())
}

/// Who has a certificate, as its names say.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Holder {
    /// The host.
    pub host: String,
    /// The availability zone of that host.
    pub zone: String,
    /// What its processes may be.
    pub roles: BTreeSet<Role>,
}

impl Holder {
    /// The names in its certificate.
    pub fn dns_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.roles.iter().map(|role| dns_name(*role)).collect();
        names.push(format!("{}{HOST}", self.host));
        names.push(format!("{}{ZONE}", self.zone));
        names
    }

    /// What the names of a certificate say. Names that are none of ours say nothing.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut holder = Self::default();
        for name in names {
            if let Some(word) = name.strip_suffix(ROLE) {
                holder.roles.extend(word.parse::<Role>());
            } else if let Some(host) = name.strip_suffix(HOST) {
                host.clone_into(&mut holder.host);
            } else if let Some(zone) = name.strip_suffix(ZONE) {
                zone.clone_into(&mut holder.zone);
            }
        }
        holder
    }
}

/// Asks for the next certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Renew {
    /// What the present certificate says; the next one says the same.
    pub holder: Holder,
    /// The present certificate's serial number, in lower case hex without zeros in front.
    pub serial: String,
    /// A certificate signing request, PEM: the public key, and a proof that the caller has its private key. Names in
    /// it mean nothing.
    pub request: String,
}

/// A certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// It, PEM.
    pub certificate: String,
    /// Whom its holder is to trust, PEM.
    pub authorities: String,
    /// Until when it is valid.
    pub expires: Timestamp,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// The caller is not what it says.
    #[error("{what} is not what the caller's certificate says")]
    Forged {
        /// What it said of itself: `host`, `zone`, `roles`, `serial`.
        what: String,
    },
    /// The request is no signing request for a key of the curve P-256 that its sender has.
    #[error("this is no certificate signing request for a P-256 key")]
    Malformed,
    /// The present certificate has been revoked.
    #[error("the certificate has been revoked")]
    Revoked,
    /// The authority cannot be reached, or cannot issue now.
    #[error("the cluster's authority cannot be reached")]
    Unavailable,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Forged { .. } | Self::Malformed | Self::Revoked => Kind::Invalid,
            Self::Unavailable => Kind::Unavailable,
        }
    }
}

/// Renews certificates.
#[async_trait]
pub trait Enrolment: Send + Sync {
    /// Issues the next certificate to the holder of one that is valid. A repeated call issues another.
    async fn renew(&self, request: Renew) -> Result<Issued, Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_the_holder_is() {
        let holder = Holder {
            host: "h1.example.com".to_owned(),
            zone: "a".to_owned(),
            roles: [Role::Worker, Role::EventInvoke].into(),
        };
        let names = holder.dns_names();
        assert_eq!(Holder::named(names.iter().map(String::as_str)), holder);
        let others = [
            "localhost",
            "king.role.lambent",
            "worker.role.lambent.example.com",
        ];
        assert_eq!(Holder::named(others), Holder::default());
    }
}
