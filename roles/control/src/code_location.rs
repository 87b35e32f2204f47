//! `Code.Location`: a link to a package as it was uploaded, valid for ten minutes.
//!
//! ```text
//!   <scheme and host the caller used>/_lambent/code/<hex SHA-256>?X-Amz-Signature=…
//! ```
//!
//! It is pre-signed by a key of our own, known to nobody else, so that a link gives access to that
//! package only.

use std::sync::Arc;

use api::Secret;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use keyring::{Derived, Keyring, MasterKey};
use wire::ApiError;
use wire::sigv4::{Form, Signed, Signer, Verifier};

use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

/// Where links point.
pub(crate) const PATH: &str = "/_lambent/code/";
/// How long a link is valid (AWS: ten minutes).
const SECONDS: u32 = 600;
/// The key's id, the region and the service that links are signed for: no caller can have these.
const KEY_ID: &str = "LAMBENTCODELINKS";
const REGION: &str = "lambent";
const SERVICE: &str = "lambent-code";

/// Signs links by the newest master key, and verifies those of the others.
pub(crate) struct CodeLinks {
    secrets: Derived<Secret>,
    verifier: Verifier,
}

impl CodeLinks {
    pub(crate) fn new(keyring: &Arc<Keyring>) -> Self {
        Self {
            secrets: Derived::new(keyring, secret),
            verifier: Verifier::new(),
        }
    }

    /// The path and query of a link to a package.
    fn sign(&self, host: &str, image: &str, now: types::Timestamp) -> String {
        let (_, secret) = &self.secrets.keys()[0];
        let signer = Signer {
            access_key_id: KEY_ID,
            secret: secret.expose(),
            session_token: None,
            region: REGION,
            service: SERVICE,
        };
        signer.presign(host, &format!("{PATH}{image}"), SECONDS, now)
    }
}

impl Control {
    /// A link to a package for a caller, who reaches it as they reached us.
    pub(crate) fn code_link(&self, call: &Call<'_>, image: &str) -> String {
        let target = self.links.sign(call.host, image, self.clock.now());
        let usual = self.config.urls.scheme.as_str();
        let origin = call.requester.origin();
        let scheme = origin.as_ref().map_or(usual, |origin| origin.scheme(usual));
        format!("{scheme}://{}{target}", call.host)
    }

    /// Serves a link.
    pub(crate) async fn code(&self, parts: &Parts) -> Result<Response<Bytes>, Failure> {
        let signed = Signed::parse(parts).map_err(ApiError::from)?;
        let ours = signed.access_key_id == KEY_ID
            && signed.service == SERVICE
            && matches!(signed.form, Form::Query { .. });
        if !ours {
            return Err(ApiError::unrecognized_client().into());
        }
        self.verify_link(&signed, parts)?;
        let image = parts.uri.path().strip_prefix(PATH).unwrap_or_default();
        let zip = self.code.zip(image).await.map_err(|error| match error {
            // Logged where it was found.
            image::Error::Damaged => ApiError::service("The package is damaged.").into(),
            error => Failure::Images(error),
        })?;
        let zip = zip.ok_or_else(|| ApiError::not_found("The package is no longer there."))?;
        let mut response = Response::new(zip);
        *response.status_mut() = StatusCode::OK;
        let zip = HeaderValue::from_static("application/zip");
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, zip);
        Ok(response)
    }

    fn verify_link(&self, signed: &Signed, parts: &Parts) -> Result<(), ApiError> {
        let now = self.clock.now();
        let keys = self.links.secrets.keys();
        let verify = |secret: &Secret| {
            let verifier = &self.links.verifier;
            verifier.verify(signed, secret.expose(), parts, b"", now)
        };
        let newest = verify(&keys[0].1);
        let old = || keys[1..].iter().any(|(_, secret)| verify(secret).is_ok());
        match newest {
            Err(_) if old() => Ok(()),
            newest => newest.map_err(ApiError::from),
        }
    }
}

fn secret(key: &MasterKey) -> Secret {
    Secret::new(HEXLOWER.encode(&key.derive("code-links")))
}
