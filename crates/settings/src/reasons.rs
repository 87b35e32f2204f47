//! Why a function is not active, as far as its owner may know: what its package has not caused is
//! reported in AWS's words for internal errors, and nothing else about it.

/// `StateReasonCode` of what the package has not caused.
pub const INTERNAL: &str = "InternalError";
/// `StateReason` of it.
pub const INTERNAL_REASON: &str = "An internal error occurred. Please try again later.";
/// The same where a retry does not help before another upload.
pub const DAMAGED_REASON: &str = "An internal error occurred. Please upload the code again.";

/// The reason that is kept with a function, as it is shown: another version of this program may have
/// stored more than its owner may know.
pub fn shown<'r>(code: &str, reason: &'r str) -> &'r str {
    match (code, reason) {
        (INTERNAL, DAMAGED_REASON) => DAMAGED_REASON,
        (INTERNAL, _) => INTERNAL_REASON,
        _ => reason,
    }
}
