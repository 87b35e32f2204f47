//! What a caller should do about an error, whatever its cause.

/// The few answers to "and now?" that matter to a caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request is wrong and will stay wrong.
    Invalid,
    /// What it names does not exist.
    NotFound,
    /// Something else has that name or state; look again, then decide.
    Conflict,
    /// A limit is reached; try later.
    Throttled,
    /// The service cannot be reached or is not ready; trying again is right.
    Unavailable,
    /// A fault of ours.
    Internal,
}
