//! Which external extensions a function has: files of its layers.

use std::io;
use std::path::Path;

use beneath::{Folder, Kind};
use types::limits::EXTENSIONS_MAX;

use crate::environment::Environment;

/// Names in `/opt/extensions` at most; with more there are none that count.
const ENTRIES_MAX: usize = 1_024;

impl Environment {
    /// Files directly in `/opt/extensions`.
    pub(super) fn external_extensions(&self) -> Vec<String> {
        let opt = self.opt.as_deref().map(Folder::open);
        opt.and_then(Result::ok)
            .and_then(|opt| files(&opt, Path::new("extensions")).ok())
            .unwrap_or_default()
    }
}

/// The first files of a folder that a layer may have filled, by name: whether they can be executed turns out when
/// they are. The folder must be one, and no link to one; a link in it counts if it leads to a file within `opt`.
fn files(opt: &Folder, path: &Path) -> io::Result<Vec<String>> {
    let entries = opt.folder(path)?.entries(ENTRIES_MAX)?;
    let mut names: Vec<String> = entries
        .into_iter()
        .filter_map(|(name, _)| name.into_string().ok())
        .collect();
    names.sort();
    let is_file = |name: &String| {
        let found = opt.in_root(&path.join(name));
        found.is_ok_and(|facts| facts.kind == Kind::File)
    };
    Ok(names
        .into_iter()
        .filter(is_file)
        .take(EXTENSIONS_MAX)
        .collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn file(path: &Path, mode: u32) {
        std::fs::write(path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn extensions_are_looked_for_within_the_layers_alone() {
        let root = tempfile::tempdir().unwrap();
        let (opt, host) = (root.path().join("opt"), root.path().join("host"));
        for folder in [&opt, &host, &opt.join("bin"), &opt.join("extensions")] {
            std::fs::create_dir(folder).unwrap();
        }
        file(&host.join("backup-of-acme.sh"), 0o755);
        for (name, mode) in [("b", 0o755), ("a", 0o111), ("text", 0o644)] {
            file(&opt.join("extensions").join(name), mode);
        }
        file(&opt.join("bin/tool"), 0o755);
        for (name, target) in [
            ("inside", "../bin/tool"),
            ("probe", "../../host/backup-of-acme.sh"),
            ("root", "/bin/sh"),
        ] {
            symlink(target, opt.join("extensions").join(name)).unwrap();
        }
        let folder = Folder::open(&opt).unwrap();
        let found = files(&folder, Path::new("extensions")).unwrap();
        assert_eq!(found, ["a", "b", "inside", "text"]);
        for target in ["../host", "/usr/bin", "bin"] {
            std::fs::remove_dir_all(opt.join("extensions"))
                .or_else(|_| std::fs::remove_file(opt.join("extensions")))
                .unwrap();
            symlink(target, opt.join("extensions")).unwrap();
            assert!(files(&folder, Path::new("extensions")).is_err(), "{target}");
        }
    }
}
