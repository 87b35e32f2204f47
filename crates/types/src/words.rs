//! Two kinds of words about a failure: those its caller may see, and those that are the operator's.
//!
//! ```text
//!   NameError, Denied, …   [`ForCallers`]   told()      ─▶ answers, StateReason, payloads, functions' logs
//!   io::Error, SQLite, …   [`Inner`]        for_log()   ─▶ the server's own log, with the request's id
//! ```
//!
//! Where answers are made nothing else turns an error into text; `xtask tidy` looks.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An error whose text is for callers: it describes the request, and names nothing
/// of the host, its folders or this program's parts.
pub trait ForCallers: fmt::Display {
    /// The words.
    fn told(&self) -> String {
        self.to_string()
    }
}

/// Why something of this system did not work: paths, the kernel's answers, a store's complaints. It has no
/// text form but [`Inner::for_log`], so that it cannot become a part of an answer by accident. From role to role it travels, to be logged where the request is
/// known.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inner(Box<str>);

impl Inner {
    /// What an error and its causes say.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        Self(with_causes(error).into())
    }

    /// A reason that no error gave.
    pub fn new(reason: impl Into<Box<str>>) -> Self {
        Self(reason.into())
    }

    /// The reason, for the server's own log.
    pub fn for_log(&self) -> &str {
        &self.0
    }
}

/// Without the reason: what is printed for debugging may get anywhere.
impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inner(…)")
    }
}

/// An error's words and those of its causes, each once. Of the server's own log.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no sandbox")]
    struct Outer(#[source] io::Error);

    #[test]
    fn an_inner_reason_has_its_causes_and_is_shown_to_the_log_alone() {
        let path = "/var/lib/lambent/images/x";
        let inner = Inner::of(&Outer(io::Error::other(path)));
        assert_eq!(inner.for_log(), format!("no sandbox: {path}"));
        assert_eq!(format!("{inner:?}"), "Inner(…)");
        assert_eq!(inner, inner.clone());
        assert_ne!(inner, Inner::new("another"));
    }

    #[test]
    fn a_cause_that_says_the_same_is_told_once() {
        let error = Outer(io::Error::other("no sandbox"));
        assert_eq!(Inner::of(&error).for_log(), "no sandbox");
    }
}
