//! What happens to a function that calls itself in a loop: rows attached to functions, by
//! [`crate::functions::RECURSIONS`].

use serde::{Deserialize, Serialize};

/// Request, answer and row of the recursion configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Recursion {
    /// What becomes of it.
    pub recursive_loop: RecursiveLoop,
}

/// See [`Recursion`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum RecursiveLoop {
    /// It continues for ever.
    Allow,
    /// It ends after some rounds (AWS's default).
    #[default]
    Terminate,
}
