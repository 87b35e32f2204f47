//! What people are told of a package that cannot be taken or made ready: AWS's words for what is wrong with
//! the package itself, and for all else that it was no fault of theirs. Why it was one of ours is for the
//! server's log. Pure.

use settings::reasons::{DAMAGED_REASON, INTERNAL, INTERNAL_REASON};
use types::limits::UNZIPPED_BYTES_MAX;

/// AWS's words for a package that is none.
const NO_ZIP: &str =
    "Could not unzip uploaded file. Please check your file, then try to upload again.";
/// What is wrong with the package itself; `None` if it is not at fault.
pub(crate) fn of_package(error: &image::Error) -> Option<String> {
    match error {
        image::Error::NotAZip => Some(NO_ZIP.to_owned()),
        image::Error::TooLarge { .. } => Some(format!(
            "Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes"
        )),
        // What to look for stands behind AWS's words.
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

/// `StateReasonCode` and `StateReason` of a function whose code cannot be made ready. Only what is wrong with
/// the package itself is its owner's to mend.
pub(crate) fn state_reason(error: &image::Error) -> (String, String) {
    let (code, reason) = match (of_package(error), error) {
        (Some(reason), _) => ("InvalidZipFileException", reason),
        (None, image::Error::Damaged) => (INTERNAL, DAMAGED_REASON.to_owned()),
        (None, _) => (INTERNAL, INTERNAL_REASON.to_owned()),
    };
    (code.to_owned(), reason)
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;
    use settings::reasons::shown;

    use super::*;

    /// Every failure that is not the package's own, each with `secret` wherever it can be.
    fn inner_failures(secret: &str) -> Vec<image::Error> {
        let source = || io::Error::other(secret.to_owned());
        vec![
            image::Error::Damaged,
            image::Error::NotFound {
                image: secret.to_owned(),
            },
            image::Error::TooSlow { seconds: 5 },
            image::Error::NoRoom,
            image::Error::Storage(storage::Error::Unavailable(source().into())),
            image::Error::Cache(source()),
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
        let (code, reason) = state_reason(&image::Error::NotAZip);
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
