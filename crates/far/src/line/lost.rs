//! What is known of a call that ended without an answer.

use std::error::Error;

use h2::Reason;
use tonic::{Code, Status};

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// The callee has refused it before anything was done, and would again.
    Refused,
    /// The connection ended, or was about to, before the callee took it.
    NotTaken,
    /// It may have been done.
    Nothing,
}

/// What is known of a call that ended like this.
pub(crate) fn known(status: &Status) -> Known {
    match status.code() {
        Code::PermissionDenied | Code::Unimplemented | Code::InvalidArgument => Known::Refused,
        _ if was_not_taken(status) => Known::NotTaken,
        _ => Known::Nothing,
    }
}

fn was_not_taken(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        let sure = error.downcast_ref().is_some_and(is_refused)
            // It was still waiting to be sent when the connection ended.
            || error.downcast_ref().is_some_and(hyper::Error::is_canceled);
        if sure {
            return true;
        }
        cause = error.source();
    }
    false
}

/// RFC 9113, 6.8 and 8.7: a stream beyond the last one that a `GOAWAY` names, or reset with `REFUSED_STREAM`, has not
/// been processed. `h2` gives the former to those streams alone; others go on, or end with an IO error.
fn is_refused(error: &h2::Error) -> bool {
    let refused =
        error.is_go_away() || error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    refused && error.is_remote()
}
