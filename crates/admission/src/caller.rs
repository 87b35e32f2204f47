//! Who invokes.

use authn::authorisation::Requester;
use types::Scope;

/// A caller whose signature is verified.
pub struct Caller {
    /// On whose behalf.
    pub requester: Requester,
    /// The caller's account, and the region that the request is for.
    pub scope: Scope,
}
