//! What a caller learns of a call that the network lost: one rule for each arrow's error.

use serde::{Deserialize, Serialize};

use crate::invoke::Why;
use crate::{
    assignment, counting, credentials, enrolment, events, invoke, logs, membership, placement,
    preparation, requests, worker,
};

/// What is known of a call that has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Lost {
    /// The callee has not received it and will not.
    Before,
    /// The callee may have done it, or be doing it, or do it later.
    After,
}

/// An arrow's error, which can say that a call was lost.
pub trait Loses {
    /// The error for it.
    fn lost(lost: Lost) -> Self;
}

/// Arrows on which a repeat is harmless, or whose contract says what harm it does: one error for both.
macro_rules! unavailable {
    ($($arrow:ident),* $(,)?) => {
        $(
            impl Loses for $arrow::Error {
                fn lost(_: Lost) -> Self {
                    Self::Unavailable
                }
            }
        )*
    };
}

unavailable!(
    assignment,
    counting,
    credentials,
    enrolment,
    events,
    logs,
    membership,
    placement,
    preparation,
    requests,
);

impl Loses for worker::Error {
    fn lost(lost: Lost) -> Self {
        match lost {
            Lost::Before => Self::Unavailable,
            Lost::After => Self::Internal,
        }
    }
}

impl Loses for invoke::Error {
    fn lost(lost: Lost) -> Self {
        let (status, code) = match lost {
            Lost::Before => (503, "ServiceUnavailableException"),
            Lost::After => (500, "ServiceException"),
        };
        Self {
            why: Why::Unavailable,
            status,
            code: code.to_owned(),
            message: "The call was lost in transit.".to_owned(),
        }
    }
}
