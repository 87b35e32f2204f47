//! GetSessionToken: temporary keys of one's own.

use std::time::Duration;

use authn::identity::PrincipalKind;
use wire::query::QueryError;

use super::{Call, Sts, credentials};
use crate::keys::{Given, Subject};

/// The default seconds such a session lasts (AWS).
const SECONDS: u32 = 43_200;
/// The most seconds a session of an account itself lasts (AWS).
const ROOT_SECONDS_MAX: u32 = 3_600;

impl Sts {
    /// Requires no permission: what the session may do, its user may already.
    pub(super) fn session_token(&self, call: &Call<'_>) -> Result<String, QueryError> {
        let refused = || {
            let message = "Cannot call GetSessionToken with session credentials";
            QueryError::access_denied(message.to_owned())
        };
        let principal = call.requester.principal().ok_or_else(refused)?;
        if call.requester.session().is_some() {
            return Err(refused());
        }
        call.refuse_second_factors()?;
        let account = principal.account.clone();
        let asked = call.seconds()?.unwrap_or(SECONDS);
        let (subject, seconds) = match &principal.kind {
            PrincipalKind::User { name } => {
                let id = principal.user_id.clone();
                let name = name.clone();
                (Subject::User { account, id, name }, asked)
            }
            PrincipalKind::Root => {
                let key = call.access_key_id.to_owned();
                (Subject::Root { account, key }, asked.min(ROOT_SECONDS_MAX))
            }
            // A role has only temporary keys.
            PrincipalKind::Role { .. } => return Err(refused()),
        };
        let begun = (self.clock.now(), Duration::from_secs(u64::from(seconds)));
        let given = Given::default();
        let keys = self
            .sessions
            .begin(subject, given, begun, self.random.as_ref());
        Ok(credentials(&keys))
    }
}
