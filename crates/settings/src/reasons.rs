//! Why a function is not active, as far as that is for its owner: what is no fault of its package is said in
//! AWS's words for such, and nothing else of it is told.

/// `StateReasonCode` of what is no fault of the package.
pub const INTERNAL: &str = "InternalError";
/// `StateReason` of it.
pub const INTERNAL_REASON: &str = "An internal error occurred. Please try again later.";
/// The same where trying again is of no use before another upload.
pub const DAMAGED_REASON: &str = "An internal error occurred. Please upload the code again.";

/// The reason that is kept with a function, as it is shown: another version of this program may have kept
/// more than its owner is to know.
pub fn shown<'r>(code: &str, reason: &'r str) -> &'r str {
    match (code, reason) {
        (INTERNAL, DAMAGED_REASON) => DAMAGED_REASON,
        (INTERNAL, _) => INTERNAL_REASON,
        _ => reason,
    }
}
