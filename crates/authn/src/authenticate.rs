//! Signatures: from a request to its sender.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use types::{AccountId, Clock, Origin, Region, Timestamp};
use wire::ApiError;
use wire::query::QueryError;
use wire::sigv4::{self, Declared, Signed, Verifier};

use crate::authorisation::{Circumstances, Requester};
use crate::blocking::{INLINE_BYTES_MAX, run_blocking};
use crate::identity::{self, Identities};

/// Verifies signatures by the keys that [`Identities`] knows. One for a server: the keys derived from those of all
/// callers are remembered, and bounded, together.
pub struct Authenticator {
    identities: Arc<dyn Identities>,
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
}

/// Why nobody is known to have sent a request. Each protocol has its own words for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The key proves nobody.
    Key(identity::Error),
    /// The signature is missing, not well formed, or not the key's.
    Signature(sigv4::Error),
}

/// What the head of a request tells before its body is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Whose access key it names; `None` if that is not known now.
    pub account: Option<AccountId>,
    /// Whether the signature is valid for a body with the hash that the head declares.
    pub is_signed: bool,
}

impl Authenticator {
    /// Asks `identities` whose key signed.
    pub fn new(identities: Arc<dyn Identities>, clock: Arc<dyn Clock>) -> Self {
        Self {
            identities,
            verifier: Arc::default(),
            clock,
        }
    }

    /// Who sent a request, whose `signed` was parsed from `parts`. Whatever service and region it is for: that
    /// is for the caller to look at.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn authenticate(
        &self,
        signed: &Signed,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Requester, Refused> {
        let token = signed.session_token.as_deref();
        let key = self.identities.access_key(&signed.access_key_id, token);
        let key = key.await.map_err(Refused::Key)?;
        let now = self.clock.now();
        let verified = if body.len() <= INLINE_BYTES_MAX {
            let secret = key.secret.expose();
            self.verifier.verify(signed, secret, parts, body, now)
        } else {
            let verifier = Arc::clone(&self.verifier);
            let (signed, secret) = (signed.clone(), key.secret.clone());
            let (parts, body, bytes) = (parts.clone(), body.clone(), body.len());
            let verify = move || verifier.verify(&signed, secret.expose(), &parts, &body, now);
            run_blocking(bytes, verify).await
        };
        verified.map_err(Refused::Signature)?;
        let identities = &self.identities;
        identities.note_use(&signed.access_key_id, &signed.service, &signed.region);
        let region = Region::new(&signed.region).ok();
        let circumstances = circumstances(parts, region, now);
        Ok(Requester::signed(key, circumstances))
    }

    /// Whose access key the head of a request names. `None` if the head alone tells that the signature is not
    /// good; that it is good is [verified](Self::authenticate) when the body is here.
    pub async fn head(&self, parts: &Parts) -> Option<Head> {
        let signed = Signed::parse(parts).ok()?;
        let token = signed.session_token.as_deref();
        let key = self.identities.access_key(&signed.access_key_id, token);
        let key = match key.await {
            Ok(key) => key,
            Err(identity::Error::Unknown | identity::Error::Expired) => return None,
            Err(identity::Error::Unavailable) => {
                return Some(Head {
                    account: None,
                    is_signed: false,
                });
            }
        };
        let (now, secret) = (self.clock.now(), key.secret.expose());
        let declared = self.verifier.verify_head(&signed, secret, parts, now);
        Some(Head {
            is_signed: declared.ok()? == Declared::Signer,
            account: Some(key.principal.account),
        })
    }

    /// Somebody who holds a key, in whose name something is done without a request.
    ///
    /// # Errors
    /// [`Refused::Key`].
    pub async fn holder(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        region: Region,
    ) -> Result<Requester, Refused> {
        let key = self.identities.access_key(access_key_id, session_token);
        let circumstances = Circumstances {
            now: self.clock.now(),
            origin: None,
            user_agent: None,
            region: Some(region),
        };
        let key = key.await.map_err(Refused::Key)?;
        Ok(Requester::signed(key, circumstances))
    }
}

/// What is known about a request, independent of its sender's identity. The front door attaches where it came from.
pub fn circumstances(parts: &Parts, region: Option<Region>, now: Timestamp) -> Circumstances {
    let agent = parts.headers.get(http::header::USER_AGENT);
    Circumstances {
        now,
        origin: parts.extensions.get::<Origin>().copied(),
        user_agent: agent.and_then(|text| text.to_str().ok()).map(str::to_owned),
        region,
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Key(identity::Error::Unknown) => Self::unrecognized_client(),
            Refused::Key(identity::Error::Expired) => Self::expired_token(),
            Refused::Key(identity::Error::Unavailable) => Self::unavailable(),
            Refused::Signature(error) => error.into(),
        }
    }
}

impl From<Refused> for QueryError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Key(identity::Error::Unknown) => Self::invalid_client_token(),
            Refused::Key(identity::Error::Expired) => Self::expired_token(),
            Refused::Key(identity::Error::Unavailable) => Self::unavailable(),
            Refused::Signature(error) => error.into(),
        }
    }
}
