//! A function's provisioned concurrency, by the alias or version that has it. Pure.

use std::collections::BTreeMap;

use records::provisioned::Provisioned;
use storage::{Revision, Row};
use types::Version;

use super::functions::is_older;

/// The rows of one function; most functions have none.
#[derive(Default)]
pub(super) struct ProvisionedRows(BTreeMap<String, (Revision, Provisioned)>);

impl ProvisionedRows {
    /// Takes in a row, or its deletion. `None` if it cannot be read.
    pub(super) fn apply(&mut self, qualifier: &str, row: Option<&Row>) -> Option<()> {
        let Some(row) = row else {
            self.0.remove(qualifier);
            return Some(());
        };
        let provisioned: Provisioned = serde_json::from_slice(&row.value).ok()?;
        let present = self.0.get(qualifier).map(|(revision, _)| *revision);
        if !is_older(Some(row.revision), present) {
            self.0
                .insert(qualifier.to_owned(), (row.revision, provisioned));
        }
        Some(())
    }

    /// How much was asked for, of all versions together.
    pub(super) fn requested(&self) -> u32 {
        let rows = self.0.values();
        rows.fold(0, |sum: u32, (_, row)| sum.saturating_add(row.requested))
    }

    /// How much of a version there is for invokes.
    pub(super) fn available(&self, version: Version) -> u32 {
        let allocations = self.0.values().flat_map(|(_, row)| &row.allocations);
        allocations
            .filter(|allocation| allocation.version == version)
            .fold(0, |sum: u32, allocation| {
                sum.saturating_add(allocation.available())
            })
    }
}
