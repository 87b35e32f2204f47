//! The errors for a package that is not accepted or cannot be prepared: AWS's words for what is wrong
//! with the package itself, and AWS's words for internal errors in all other cases. The cause of an
//! internal error is for the server's log. Pure.

use api::preparation;
use settings::reasons::{DAMAGED_REASON, INTERNAL, INTERNAL_REASON};
use types::limits::UNZIPPED_BYTES_MAX;

/// AWS's words for an invalid package.
const NO_ZIP: &str =
    "Could not unzip uploaded file. Please check your file, then try to upload again.";
/// What is wrong with the package itself; `None` if it is not at fault.
pub(crate) fn of_package(error: &image::Error) -> Option<String> {
    match error {
        image::Error::NotAZip => Some(NO_ZIP.to_owned()),
        image::Error::TooLarge { .. } => Some(format!(
            "Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes"
        )),
        // The details follow AWS's words.
        image::Error::BadEntry { name, problem } => Some(format!(
            "{NO_ZIP} (entry {name:?} of the package {})",
            problem.words()
        )),
        image::Error::Damaged
        | image::Error::NotFound { .. }
        | image::Error::TooSlow { .. }
        | image::Error::NoRoom
        | image::Error::Storage(_)
        | image::Error::Cache(_) => None,
    }
}

/// `StateReasonCode` and `StateReason` of a function whose code cannot be prepared. Its owner can only
/// fix what is wrong with the package itself.
pub(crate) fn state_reason(error: &preparation::Error) -> (String, String) {
    let (code, reason) = match error {
        // The details were reported at the upload, if they could be seen then.
        preparation::Error::Invalid { .. } => ("InvalidZipFileException", NO_ZIP),
        preparation::Error::Damaged => (INTERNAL, DAMAGED_REASON),
        preparation::Error::Failed { .. } | preparation::Error::Unavailable => {
            (INTERNAL, INTERNAL_REASON)
        }
    };
    (code.to_owned(), reason.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use settings::reasons::shown;
    use types::Inner;

    use super::*;

    /// Every failure that the package has not caused, each with `secret` wherever possible.
    fn inner_failures(secret: &str) -> Vec<preparation::Error> {
        let reason = Inner::new(secret);
        vec![
            preparation::Error::Damaged,
            preparation::Error::Failed { reason },
            preparation::Error::Unavailable,
        ]
    }

    proptest! {
        #[test]
        fn no_inner_reason_becomes_a_state_reason(secret in "/[a-z]{4,12}/[A-Za-z0-9 :{}]{8,40}") {
            for error in inner_failures(&secret) {
                let (code, reason) = state_reason(&error);
                prop_assert_eq!(&code, INTERNAL);
                prop_assert!([INTERNAL_REASON, DAMAGED_REASON].contains(&reason.as_str()));
                prop_assert_eq!(shown(&code, &reason), reason.as_str());
            }
            prop_assert_eq!(shown(INTERNAL, &secret), INTERNAL_REASON);
        }
    }

    #[test]
    fn what_is_wrong_with_the_package_is_told_to_its_owner() {
        let inner = Inner::new("/var/lib/lambent/x");
        let (code, reason) = state_reason(&preparation::Error::Invalid { reason: inner });
        assert_eq!(
            (code.as_str(), reason.as_str()),
            ("InvalidZipFileException", NO_ZIP)
        );
        assert_eq!(shown(&code, &reason), NO_ZIP);
        let entry = image::Error::BadEntry {
            name: "../x".to_owned(),
            problem: image::Problem::LeadsOut,
        };
        let told = format!("{NO_ZIP} (entry \"../x\" of the package leads out of the package)");
        assert_eq!(of_package(&entry), Some(told));
    }
}
