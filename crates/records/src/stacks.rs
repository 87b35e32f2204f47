//! Stacks: what `lambent deploy` made of a template, kept so that every machine sees the same.
//!
//! ```text
//!   key                                   value
//!   stack/<account>/<region>/<name>       JSON, the client's own: this system only keeps it
//! ```

use types::Scope;

/// Where all stacks begin.
pub(crate) const STACKS: &str = "stack/";
/// Longest name of a stack, characters (CloudFormation).
pub const NAME_CHARACTERS_MAX: usize = 128;

/// Key of a stack's row.
pub fn stack_key(scope: &Scope, name: &str) -> String {
    format!("{}{name}", stacks_prefix(scope))
}

/// Where a scope's stacks begin.
pub fn stacks_prefix(scope: &Scope) -> String {
    format!("{STACKS}{}/{}/", scope.account, scope.region)
}

/// Whether that can be a stack's name: a letter, then letters, digits and hyphens (CloudFormation).
pub fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.len() <= NAME_CHARACTERS_MAX
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
