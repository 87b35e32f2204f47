//! From the specification of a sandbox to its init's first message: settings, and mounts of its code.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use crate::error::Error;
use crate::message::Furnish;
use crate::process::pool::Pool;
use crate::spec::Spec;
use crate::sys::{files, mounts};

/// The message to the sandbox's init, without shared folders, which must be found first.
pub(super) fn wanted(spec: &Spec, pool: &Pool) -> Result<Furnish, Error> {
    let runtime = |path| below(path, &pool.runtimes, "runtime");
    Ok(Furnish {
        hostname: spec.hostname.clone(),
        opt: spec.opt.is_some(),
        runtime: spec.runtime.as_deref().map(runtime).transpose()?,
        shares: Vec::new(),
        tmp_bytes: spec.tmp_bytes,
        open_files_max: spec.open_files_max,
    })
}

/// Detached mounts of the code and of what is at `/opt`: read-only, without setuid and devices. Looked
/// up for each sandbox, since the folder of all images may have been removed and created again.
pub(super) fn image_trees(spec: &Spec, pool: &Pool) -> Result<Vec<OwnedFd>, Error> {
    let mut trees = Vec::new();
    for (path, field, step) in [
        (Some(&spec.task), "task", "show /var/task"),
        (spec.opt.as_ref(), "opt", "show /opt"),
    ] {
        let Some(path) = path else { continue };
        let inside = below(path, &pool.images, field)?;
        let open = || {
            let images = files::open_directory(&pool.images)?;
            let place = files::open_beneath(images.as_fd(), Path::new(&inside))?;
            let tree = mounts::clone_mount(place.as_fd())?;
            mounts::restrict(tree.as_fd(), true, None)?;
            Ok(tree)
        };
        trees.push(open().map_err(Error::step(step))?);
    }
    Ok(trees)
}

/// The part of `path` below `folder`, checked not to climb.
fn below(path: &Path, folder: &Path, field: &'static str) -> Result<String, Error> {
    let rule = "a directory below the configured folder, without . or .. in its path";
    let inside = path.strip_prefix(folder).ok().and_then(Path::to_str);
    let plain = |text: &&str| {
        Path::new(text)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
    };
    match inside.filter(plain) {
        Some("") => Ok(".".to_owned()),
        Some(inside) => Ok(inside.to_owned()),
        None => Err(Error::Invalid { field, rule }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_folder_are_shown() {
        let check = |path: &str, expected: Option<&str>| {
            let found = below(Path::new(path), Path::new("/data/images"), "task").ok();
            assert_eq!(found.as_deref(), expected, "{path}");
        };
        check("/data/images/a/b", Some("a/b"));
        check("/data/images", Some("."));
        check("/data/images/../secrets", None);
        check("/data/secrets", None);
        check("/data/images2", None);
        check("a", None);
    }
}
