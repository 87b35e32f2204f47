//! Who signed a request?

use api::identity::{Error as IdentityError, Identities, Principal};
use http::request::Parts;
use types::{Region, Scope, Timestamp};
use wire::ApiError;
use wire::sigv4::{Signed, Verifier};

/// A caller whose signature is verified.
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    /// The caller's account, and the region that the request is for.
    pub(crate) scope: Scope,
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
    let key = key.map_err(|error| match error {
        IdentityError::Unknown => ApiError::unrecognized_client(),
        IdentityError::Expired => ApiError::expired_token(),
        IdentityError::Unavailable => ApiError::unavailable(),
    })?;
    verifier.verify(&signed, key.secret.expose(), parts, body, now)?;
    let region = Region::new(&signed.region).map_err(|_| ApiError::unrecognized_client())?;
    let scope = Scope {
        account: key.principal.account.clone(),
        region,
    };
    Ok(Caller {
        principal: key.principal,
        scope,
    })
}
