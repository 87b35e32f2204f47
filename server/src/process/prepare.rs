//! What is done before anything runs: the data folder, the languages, the limits, and what a former run left.

use anyhow::Context as _;
use types::Role;

use super::descriptors::Descriptors;
use super::limits;
use super::what::What;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::roots::{Languages, languages};

/// See the module.
pub(super) struct Prepared {
    pub(super) data: DataDir,
    /// If functions run here.
    pub(super) languages: Option<Languages>,
    /// If functions run here.
    pub(super) sandboxes: Option<sandbox::Config>,
    pub(super) descriptors: Descriptors,
}

/// Blocks.
pub(super) fn prepare(config: &Config, what: &What) -> anyhow::Result<Prepared> {
    let data = DataDir::open(&config.data_dir)?;
    let languages = match what.has(Role::Worker) {
        true => Some(languages(&config.runtimes)?),
        false => None,
    };
    let mut sandboxes = match &languages {
        Some(languages) => Some(limits::sandboxes(config, &data, languages)?),
        None => None,
    };
    let roots = sandboxes.as_ref().map_or(0, |made| made.roots.len());
    let descriptors = limits::descriptors(config, roots)?;
    if let Some(sandboxes) = &mut sandboxes {
        sandboxes.pool = descriptors.pool;
        let swept = sandbox::sweep(&sandboxes.tag)
            .context("what a former run left cannot be cleaned up")?;
        if swept.processes + swept.cgroups > 0 {
            tracing::info!(
                processes = swept.processes,
                cgroups = swept.cgroups,
                "removing what a killed run left"
            );
        }
    }
    Ok(Prepared {
        data,
        languages,
        sandboxes,
        descriptors,
    })
}
