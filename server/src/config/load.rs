//! Reads the settings from the file and the variables, in the order in which they count.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use toml::{Table, Value};

use super::Config;

impl Config {
    /// Reads the file, if there is one, and the variables.
    pub(crate) fn load(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut table = Table::try_from(Self::default()).context("the defaults are not TOML")?;
        let fields = fields(&table);
        if let Some(file) = file {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
            let given: Table = text
                .parse()
                .with_context(|| format!("{} is not valid TOML", file.display()))?;
            merge(&mut table, given);
        }
        // The log's level is not of the configuration.
        let ours = |name: &str| name.starts_with("LAMBENT_") && name != "LAMBENT_LOG";
        for (name, text) in variables.filter(|(name, _)| ours(name)) {
            let Some(path) = fields.get(&name) else {
                bail!("{name} is not a setting")
            };
            set(&mut table, path, &name, &text)?;
        }
        table.try_into().context("the configuration is wrong")
    }
}

/// The variable of every field, and the field's path.
fn fields(defaults: &Table) -> BTreeMap<String, Vec<String>> {
    fn walk(table: &Table, path: &[String], found: &mut BTreeMap<String, Vec<String>>) {
        for (key, value) in table {
            let mut path = path.to_vec();
            path.push(key.clone());
            match value {
                // An empty table is a map that people fill, a field of its own.
                Value::Table(inner) if !inner.is_empty() => walk(inner, &path, found),
                _ => {
                    let name = path.join("_").to_uppercase();
                    found.insert(format!("LAMBENT_{name}"), path);
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(defaults, &[], &mut found);
    found
}

fn merge(table: &mut Table, given: Table) {
    for (key, value) in given {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(given)) => merge(inner, given),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

fn set(table: &mut Table, path: &[String], name: &str, text: &str) -> anyhow::Result<()> {
    let (last, above) = path.split_last().expect("a field has a name");
    let mut table = table;
    for key in above {
        let inner = table
            .entry(key)
            .or_insert_with(|| Value::Table(Table::new()));
        table = inner
            .as_table_mut()
            .with_context(|| format!("{key} is not a table"))?;
    }
    let value = match table.get(last) {
        Some(Value::String(_)) => Value::String(text.to_owned()),
        _ => {
            let parsed: Table = format!("value = {text}")
                .parse()
                .with_context(|| format!("{name} does not have its setting's type"))?;
            parsed
                .get("value")
                .cloned()
                .with_context(|| format!("{name} is empty"))?
        }
    };
    table.insert(last.clone(), value);
    Ok(())
}
