//! The available languages: from the configuration to the worker's runtimes and the sandbox's roots.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sandbox::{Root, RootKind};
use worker::{Runtime, Runtimes};

use crate::config;

/// The root that shows the host's own `/usr`.
const HOST: &str = "host";
/// Families that a folder of `runtimes` serves.
const FAMILIES: [&str; 3] = ["python", "nodejs", "java"];

/// The roots to prepare, and the runtimes that use them.
pub(crate) struct Languages {
    pub(crate) roots: Vec<Root>,
    pub(crate) runtimes: Runtimes,
}

/// Finds the languages.
pub(crate) fn languages(config: &config::Runtimes) -> anyhow::Result<Languages> {
    let directory = directory(config)?;
    let host = Root {
        name: HOST.to_owned(),
        kind: RootKind::Host,
        runtimes: directory.clone(),
    };
    let mut roots = vec![host];
    let mut families = BTreeMap::new();
    for family in FAMILIES {
        let folder = directory.join(family);
        if folder.join("runtime.toml").exists() {
            families.insert(family.to_owned(), on_host(Some(folder)));
        } else {
            tracing::info!(family, folder = %folder.display(), "a language is not installed");
        }
    }
    families.insert("provided".to_owned(), on_host(None));
    let mut exact = BTreeMap::new();
    for (name, chosen) in &config.chosen {
        let family: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
        let folder = match chosen.folder.as_str() {
            "" if family == "provided" => None,
            "" => Some(directory.join(&family)),
            folder => Some(directory.join(folder)),
        };
        if let Some(folder) = folder.as_ref().filter(|f| !f.join("runtime.toml").exists()) {
            bail!("runtime {name}: {} has no runtime.toml", folder.display());
        }
        if chosen.root.as_os_str().is_empty() {
            exact.insert(name.clone(), on_host(folder));
            continue;
        }
        let root_path = chosen.root.canonicalize();
        let root_path = root_path.with_context(|| {
            format!(
                "runtime {name}: its root {} does not exist",
                chosen.root.display()
            )
        })?;
        let root = format!("root-{}", roots.len());
        let kind = RootKind::Directory(root_path.clone());
        roots.push(Root {
            name: root.clone(),
            kind,
            runtimes: directory.clone(),
        });
        exact.insert(
            name.clone(),
            Runtime {
                root,
                root_path,
                folder,
            },
        );
    }
    Ok(Languages {
        roots,
        runtimes: Runtimes {
            exact,
            families,
            ..Runtimes::default()
        },
    })
}

/// What a worker says that it runs.
pub(crate) fn of_worker(runtimes: &Runtimes) -> api::membership::Runtimes {
    api::membership::Runtimes {
        families: runtimes.families.keys().cloned().collect(),
        exact: runtimes.exact.keys().cloned().collect(),
        refused: runtimes.refused.clone(),
    }
}

fn on_host(folder: Option<PathBuf>) -> Runtime {
    Runtime {
        root: HOST.to_owned(),
        root_path: PathBuf::from("/"),
        folder,
    }
}

/// The configured folder, or the first that is there.
fn directory(config: &config::Runtimes) -> anyhow::Result<PathBuf> {
    if !config.directory.as_os_str().is_empty() {
        let found = config.directory.canonicalize();
        return found.with_context(|| {
            format!(
                "the runtimes folder {} does not exist",
                config.directory.display()
            )
        });
    }
    let binary = std::env::current_exe().context("this binary's place is not known")?;
    let beside = binary.parent().unwrap_or(Path::new("/"));
    let candidates = [
        beside.join("runtimes"),
        beside.join("../share/lambent/runtimes"),
    ];
    let found = candidates.iter().find_map(|path| path.canonicalize().ok());
    found.with_context(|| {
        format!(
            "there is no runtimes folder at {}; set runtimes.directory",
            candidates
                .map(|path| path.display().to_string())
                .join(" or ")
        )
    })
}
