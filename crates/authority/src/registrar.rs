//! Keeps the authority and all that it has issued, in a table: any process with the table and the master key can issue.

mod listed;

use std::sync::Arc;
use std::time::Duration;

use api::Secret;
use api::enrolment::{self, Enrolment, Holder, Issued, Renew};
use async_trait::async_trait;
use bytes::Bytes;
use keyring::{Keyring, Sealing};
use serde::Serialize;
use storage::{Consistency, Expect, Table};
use types::{Clock, Random, Timestamp};

use crate::authority::{Authority, IssueError, LASTS};
use crate::facts::Facts;
use crate::request::PublicKey;
use crate::rows::{
    AUTHORITY, Allowed, Certificate, Kept, Revocation, certificate_key, revoked_key, token_key,
};
use crate::token::{Hash, Token};

/// What the authority's private key is sealed for.
const SEALED_FOR: &str = "cluster-authority";

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table does not take or give it.
    #[error("the cluster's table cannot be used")]
    Store(#[from] storage::Error),
    /// It cannot be signed.
    #[error("no certificate can be issued")]
    Issue(#[from] IssueError),
    /// No process has brought the authority's key yet.
    #[error(
        "the cluster has no authority yet: a process with the role control takes it from authority.key, which \
         `lambent cluster init` has made"
    )]
    NoAuthority,
    /// The authority's key is sealed by a master key that is not here.
    #[error("the authority's key is sealed by another master key: is `secret` this cluster's?")]
    Sealed,
    /// See [`enrolment::Error::Malformed`].
    #[error("this is no certificate signing request for a P-256 key")]
    Malformed,
    /// The token does not exist, has been used, or has expired.
    #[error("the join token is not valid: it is used once, and within an hour")]
    Token,
    /// See [`enrolment::Error::Revoked`].
    #[error("the certificate has been revoked")]
    Revoked,
    /// A row is not understood.
    #[error("a row of another version is not understood: {0}")]
    Row(String),
}

/// See the module.
pub struct Registrar {
    table: Arc<dyn Table>,
    sealing: Sealing,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    lasting: Duration,
}

impl Registrar {
    /// Over the table in which the cluster's members are.
    pub fn new(
        table: Arc<dyn Table>,
        keyring: &Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            table,
            sealing: Sealing::new(keyring, SEALED_FOR),
            clock,
            random,
            lasting: LASTS,
        }
    }

    /// Issues certificates of this lifetime.
    #[must_use]
    pub fn lasting(self, lasting: Duration) -> Self {
        Self { lasting, ..self }
    }

    /// Takes over an authority, unless there is one. True if it is the cluster's now: its key need not be kept anywhere
    /// else.
    pub async fn found(&self, authority: &Authority) -> Result<bool, Error> {
        let kept = Kept {
            certificate: authority.certificate().to_owned(),
            key: self
                .sealing
                .seal(&authority.private_key(), self.random.as_ref()),
        };
        match self.table.put(AUTHORITY, json(&kept), Expect::Absent).await {
            Ok(_) => Ok(true),
            Err(storage::Error::Conflict { .. }) => {
                let kept: Option<Kept> = self.read(AUTHORITY).await?;
                Ok(kept.is_some_and(|kept| kept.certificate == authority.certificate()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Notes a certificate that was issued before there was a table.
    pub async fn record(&self, holder: &Holder, facts: &Facts) -> Result<(), Error> {
        let row = Certificate::new(holder, &facts.serial, facts.until);
        let key = certificate_key(&facts.serial);
        match self.table.put(&key, json(&row), Expect::Absent).await {
            Ok(_) | Err(storage::Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a token by which one host can join at `address`, and which is valid for `lasting`.
    pub async fn token(
        &self,
        address: String,
        holder: Holder,
        lasting: Duration,
    ) -> Result<Token, Error> {
        let authority = self.authority().await?;
        let fingerprint = crate::fingerprint(authority.certificate()).map_err(IssueError::from)?;
        let token = Token::new(address, fingerprint, self.random.as_ref());
        let allowed = Allowed {
            holder,
            expires: self.clock.now().after(lasting),
        };
        let key = token_key(&Hash::of(&token.secret));
        self.table.put(&key, json(&allowed), Expect::Absent).await?;
        Ok(token)
    }

    /// Accepts who has a token's secret, which is used up by it.
    pub async fn admit(&self, secret: &Secret, request: &str) -> Result<(Holder, Issued), Error> {
        // First, so that what is wrong with a request says nothing about a token.
        let public = PublicKey::of_request(request).ok_or(Error::Malformed)?;
        let key = token_key(&Hash::of(secret));
        let row = self.table.get(&key, Consistency::Strong).await?;
        let row = row.ok_or(Error::Token)?;
        let allowed: Allowed = parsed(&key, &row.value)?;
        if allowed.expires <= self.clock.now() {
            return Err(Error::Token);
        }
        let used = self.table.delete(&key, Expect::Revision(row.revision));
        match used.await {
            Ok(()) => {}
            Err(storage::Error::Conflict { .. }) => return Err(Error::Token),
            Err(error) => return Err(error.into()),
        }
        let (issued, _) = self.issue(&allowed.holder, &public).await?;
        Ok((allowed.holder, issued))
    }

    async fn issue(&self, holder: &Holder, public: &PublicKey) -> Result<(Issued, String), Error> {
        let authority = self.authority().await?;
        let lasts = (self.clock.now(), self.lasting);
        let signed = authority.issue(holder, public, lasts, self.random.as_ref())?;
        // Before it is handed out: what nobody knows of cannot be revoked.
        let row = Certificate::new(holder, &signed.serial, signed.issued.expires);
        let key = certificate_key(&signed.serial);
        self.table.put(&key, json(&row), Expect::Absent).await?;
        tracing::info!(
            serial = signed.serial, host = holder.host, zone = holder.zone, roles = ?holder.roles,
            "a certificate was issued"
        );
        Ok((signed.issued, signed.serial))
    }

    async fn next(&self, renew: &Renew) -> Result<Issued, Error> {
        let public = PublicKey::of_request(&renew.request).ok_or(Error::Malformed)?;
        if self.is_revoked(&renew.serial).await? {
            return Err(Error::Revoked);
        }
        let (issued, serial) = self.issue(&renew.holder, &public).await?;
        // Who revokes lists the host's certificates again after that: either the new one was listed, or this sees it.
        if self.is_revoked(&renew.serial).await? {
            self.revoke(&serial, Some(issued.expires)).await?;
            return Err(Error::Revoked);
        }
        Ok(issued)
    }

    async fn is_revoked(&self, serial: &str) -> Result<bool, Error> {
        let key = revoked_key(serial);
        let row = self.table.get(&key, Consistency::Strong).await?;
        Ok(row.is_some())
    }

    async fn revoke(&self, serial: &str, expires: Option<Timestamp>) -> Result<(), Error> {
        let key = revoked_key(serial);
        let put = self
            .table
            .put(&key, json(&Revocation { expires }), Expect::Absent);
        match put.await {
            Ok(_) | Err(storage::Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The authority, whose key the newest master key seals from now on.
    async fn authority(&self) -> Result<Authority, Error> {
        let row = self.table.get(AUTHORITY, Consistency::Strong).await?;
        let row = row.ok_or(Error::NoAuthority)?;
        let kept: Kept = parsed(AUTHORITY, &row.value)?;
        let key: Option<String> = self.sealing.open(&kept.key, self.clock.now());
        let key = key.ok_or(Error::Sealed)?;
        if !self.sealing.is_newest(&kept.key) {
            let kept = Kept {
                key: self.sealing.seal(&key, self.random.as_ref()),
                ..kept.clone()
            };
            let sealed = self
                .table
                .put(AUTHORITY, json(&kept), Expect::Revision(row.revision));
            match sealed.await {
                // Another process was faster.
                Ok(_) | Err(storage::Error::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Authority::from_pem(&kept.certificate, &key)?)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let row = self.table.get(key, Consistency::Strong).await?;
        row.map(|row| parsed(key, &row.value)).transpose()
    }
}

#[async_trait]
impl Enrolment for Registrar {
    async fn renew(&self, request: Renew) -> Result<Issued, enrolment::Error> {
        self.next(&request).await.map_err(|error| match error {
            Error::Malformed => enrolment::Error::Malformed,
            Error::Revoked => enrolment::Error::Revoked,
            other => {
                let error = &other as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    host = request.holder.host,
                    "a certificate is not renewed"
                );
                enrolment::Error::Unavailable
            }
        })
    }
}

fn json(value: &impl Serialize) -> Bytes {
    let json = serde_json::to_vec(value);
    Bytes::from(json.expect("structs of texts and numbers have a JSON form"))
}

fn parsed<T: serde::de::DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|_| Error::Row(key.to_owned()))
}
