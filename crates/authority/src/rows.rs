//! The rows that the authority keeps, and their keys.

use std::collections::BTreeSet;

use api::enrolment::Holder;
use serde::{Deserialize, Serialize};
use types::{Role, Timestamp};

use crate::token::Hash;

/// The authority's certificate, and its sealed key.
pub(crate) const AUTHORITY: &str = "cluster/authority";
/// Before the hash of a token.
pub(crate) const TOKENS: &str = "cluster/tokens/";
/// Before the serial number of what has been issued.
pub(crate) const CERTIFICATES: &str = "cluster/certificates/";
/// Before the serial number of what is valid no more. Membership watches these rows.
pub(crate) const REVOKED: &str = "cluster/revoked/";

pub(crate) fn token_key(hash: &Hash) -> String {
    format!("{TOKENS}{hash}")
}

pub(crate) fn certificate_key(serial: &str) -> String {
    format!("{CERTIFICATES}{serial}")
}

pub(crate) fn revoked_key(serial: &str) -> String {
    format!("{REVOKED}{serial}")
}

/// The value of [`AUTHORITY`].
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) certificate: String,
    /// The private key, sealed.
    pub(crate) key: String,
}

/// What a token allows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Allowed {
    /// What its user becomes.
    pub holder: Holder,
    /// Until when.
    pub expires: Timestamp,
}

/// A certificate that has been issued.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// Its serial number; the key of its row.
    #[serde(skip)]
    pub serial: String,
    /// The host.
    pub host: String,
    /// Its zone.
    pub zone: String,
    /// What its processes may be.
    pub roles: BTreeSet<Role>,
    /// Until when.
    pub expires: Timestamp,
    /// Whether it is valid no more.
    #[serde(skip)]
    pub revoked: bool,
}

impl Certificate {
    pub(crate) fn new(holder: &Holder, serial: &str, expires: Timestamp) -> Self {
        Self {
            serial: serial.to_owned(),
            host: holder.host.clone(),
            zone: holder.zone.clone(),
            roles: holder.roles.clone(),
            expires,
            revoked: false,
        }
    }
}

/// The value of a row of [`REVOKED`].
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Revocation {
    /// After which nobody would accept it anyway; `None` if that is not known.
    pub(crate) expires: Option<Timestamp>,
}
