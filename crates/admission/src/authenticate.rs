//! Who signed a request?

use std::net::IpAddr;

use api::authorisation::{Circumstances, Requester};
use api::identity::{Error as IdentityError, Identities};
use http::request::Parts;
use types::{Region, Scope, Timestamp};
use wire::ApiError;
use wire::sigv4::{Signed, Verifier};

/// A caller whose signature is verified.
pub struct Caller {
    /// On whose behalf.
    pub requester: Requester,
    /// The caller's account, and the region that the request is for.
    pub scope: Scope,
}

/// What is said of a key that proves nobody.
pub(crate) fn unknown(error: IdentityError) -> ApiError {
    match error {
        IdentityError::Unknown => ApiError::unrecognized_client(),
        IdentityError::Expired => ApiError::expired_token(),
        IdentityError::Unavailable => ApiError::unavailable(),
    }
}

/// Verifies a request's signature.
pub(crate) async fn authenticate(
    identities: &dyn Identities,
    verifier: &Verifier,
    (parts, body): (&Parts, &[u8]),
    now: Timestamp,
) -> Result<Caller, ApiError> {
    let signed = Signed::parse(parts)?;
    signed.require_service("lambda")?;
    let key = identities
        .access_key(&signed.access_key_id, signed.session_token.as_deref())
        .await;
    let key = key.map_err(unknown)?;
    verifier.verify(&signed, key.secret.expose(), parts, body, now)?;
    identities.note_use(&signed.access_key_id, &signed.service, &signed.region);
    let region = Region::new(&signed.region).map_err(|_| ApiError::unrecognized_client())?;
    let scope = Scope {
        account: key.principal.account.clone(),
        region: region.clone(),
    };
    let circumstances = circumstances(parts, Some(region), now);
    Ok(Caller {
        requester: Requester::signed(key, circumstances),
        scope,
    })
}

/// What is known of a request whoever sent it. The front door leaves the sender's address with it.
pub fn circumstances(parts: &Parts, region: Option<Region>, now: Timestamp) -> Circumstances {
    let agent = parts.headers.get(http::header::USER_AGENT);
    Circumstances {
        now,
        source: parts.extensions.get::<IpAddr>().copied(),
        user_agent: agent.and_then(|text| text.to_str().ok()).map(str::to_owned),
        region,
    }
}
