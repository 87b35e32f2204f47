//! What a caller should do about an error, whatever its cause.

/// What a caller can do next: the few cases that matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request is wrong and will stay wrong.
    Invalid,
    /// What it names does not exist.
    NotFound,
    /// Something else has that name or state; read it again, then decide.
    Conflict,
    /// A limit is reached; try later.
    Throttled,
    /// The service cannot be reached or is not ready; retrying is right.
    Unavailable,
    /// A fault of ours.
    Internal,
}
