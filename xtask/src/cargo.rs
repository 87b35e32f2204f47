//! Cargo, called from a program that cargo has started.

use std::path::Path;
use std::process::Command;

/// Cargo in the workspace's root. The variables with which `cargo run` describes this program are not passed on: build
/// scripts see them, ring's runs again when they change, and so does everything that is built on ring.
pub fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        if is_of_this_program(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether a variable describes the running program, and not how to build.
fn is_of_this_program(name: &str) -> bool {
    [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_of_this_program_is_not_passed_on() {
        let command = cargo(Path::new("/"));
        let removed: Vec<_> = command.get_envs().filter(|(_, to)| to.is_none()).collect();
        // Cargo has started this test, too.
        assert!(removed.iter().any(|(name, _)| *name == "CARGO_PKG_NAME"));
        assert!(!is_of_this_program("CARGO_TARGET_DIR") && !is_of_this_program("CARGO_HOME"));
    }
}
