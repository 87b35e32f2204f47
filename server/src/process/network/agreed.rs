//! What all processes of a cluster must have alike: the first one writes it down, the others compare.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use storage::{Consistency, Error, Expect, Table};

/// Into how many partitions assignment is divided. With another number a process would look for functions where they are
/// not, and end environments that others have.
const PARTITIONS: &str = "cluster/partitions";

/// Checks the number of partitions, or writes it down.
pub(super) async fn partitions(table: &dyn Table, partitions: u32) -> anyhow::Result<()> {
    let own = partitions.to_string();
    match table
        .put(PARTITIONS, Bytes::from(own.clone()), Expect::Absent)
        .await
    {
        Ok(_) => return Ok(()),
        Err(Error::Conflict { .. }) => {}
        Err(error) => return Err(error).context("the number of partitions cannot be written"),
    }
    let row = table.get(PARTITIONS, Consistency::Strong).await;
    let row = row.context("the number of partitions cannot be read")?;
    let theirs = row.map(|row| String::from_utf8_lossy(&row.value).into_owned());
    match theirs {
        Some(theirs) if theirs != own => bail!(
            "assignment.partitions: {own}, and the cluster has {theirs}: all its processes need the same number"
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use storage::memory::MemoryTable;

    use super::*;

    #[tokio::test]
    async fn a_process_that_divides_otherwise_is_refused() {
        let table = MemoryTable::default();
        partitions(&table, 8).await.unwrap();
        partitions(&table, 8).await.unwrap();
        let refused = partitions(&table, 9).await.unwrap_err().to_string();
        assert!(refused.contains("9, and the cluster has 8"), "{refused}");
    }
}
