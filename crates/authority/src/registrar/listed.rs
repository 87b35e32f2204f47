//! What an operator sees and revokes, and what is removed once it means nothing any more.

use std::collections::BTreeSet;

use storage::{Expect, Row};

use super::{Error, Registrar, parsed};
use crate::rows::{
    Allowed, CERTIFICATES, Certificate, REVOKED, Revocation, TOKENS, certificate_key,
};

/// Rows that are read at once.
const PAGE: usize = 500;

impl Registrar {
    /// All certificates that have not expired, in the order of their hosts.
    pub async fn certificates(&self) -> Result<Vec<Certificate>, Error> {
        let now = self.clock.now();
        let revoked = self.rows(REVOKED).await?;
        let revoked: BTreeSet<&str> = revoked
            .iter()
            .filter_map(|row| row.key.strip_prefix(REVOKED))
            .collect();
        let mut found = Vec::new();
        for row in self.rows(CERTIFICATES).await? {
            let mut certificate: Certificate = parsed(&row.key, &row.value)?;
            let serial = row.key.strip_prefix(CERTIFICATES).unwrap_or_default();
            serial.clone_into(&mut certificate.serial);
            certificate.revoked = revoked.contains(serial);
            found.push(certificate);
        }
        found.retain(|certificate| certificate.expires > now);
        found.sort_by(|one, other| {
            let order = |certificate: &Certificate| (certificate.host.clone(), certificate.expires);
            order(one).cmp(&order(other))
        });
        Ok(found)
    }

    /// Revokes all certificates of a host, also one that is issued meanwhile. Returns their serial numbers; none if the
    /// host has no certificate that is still valid.
    pub async fn revoke_host(&self, host: &str) -> Result<Vec<String>, Error> {
        let mut revoked = Vec::new();
        loop {
            let mut valid = self.certificates().await?;
            valid.retain(|certificate| certificate.host == host && !certificate.revoked);
            if valid.is_empty() {
                return Ok(revoked);
            }
            for certificate in valid {
                self.revoke(&certificate.serial, Some(certificate.expires))
                    .await?;
                revoked.push(certificate.serial);
            }
        }
    }

    /// Revokes one certificate. False if none with this serial number is known; it is revoked nevertheless.
    pub async fn revoke_serial(&self, serial: &str) -> Result<bool, Error> {
        let known: Option<Certificate> = self.read(&certificate_key(serial)).await?;
        let expires = known.as_ref().map(|certificate| certificate.expires);
        self.revoke(serial, expires).await?;
        Ok(known.is_some())
    }

    /// Removes what has expired, and seals the authority's key by the newest master key. To be done now and then by one
    /// process or several.
    pub async fn clean(&self) -> Result<(), Error> {
        match self.authority().await {
            Ok(_) | Err(Error::NoAuthority) => {}
            Err(error) => return Err(error),
        }
        let now = self.clock.now();
        for prefix in [TOKENS, CERTIFICATES, REVOKED] {
            for row in self.rows(prefix).await? {
                let expires = match prefix {
                    TOKENS => Some(parsed::<Allowed>(&row.key, &row.value)?.expires),
                    CERTIFICATES => Some(parsed::<Certificate>(&row.key, &row.value)?.expires),
                    _ => parsed::<Revocation>(&row.key, &row.value)?.expires,
                };
                if expires.is_some_and(|expires| expires < now) {
                    let deleted = self.table.delete(&row.key, Expect::Revision(row.revision));
                    match deleted.await {
                        // Another process was faster, or it was used just now.
                        Ok(()) | Err(storage::Error::Conflict { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Ok(())
    }

    async fn rows(&self, prefix: &str) -> Result<Vec<Row>, Error> {
        let mut all: Vec<Row> = Vec::new();
        loop {
            let after = all.last().map(|row| row.key.clone());
            let page = self.table.list(prefix, after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }
}
