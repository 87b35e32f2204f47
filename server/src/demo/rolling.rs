//! Restarts processes one at a time, as an operator does for a new version.

use std::time::Duration;

use tokio::net::TcpStream;

use super::inside::{Cluster, until};
use super::stores;
use crate::terminal::say;

/// A process finishes what it has within this time.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// The others have seen that one is back before the next one goes.
const SEEN_WITHIN: Duration = Duration::from_secs(3);
/// A NATS server that is back has caught up.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(10);

/// Each process of Lambent.
pub(super) async fn lambent(cluster: &mut Cluster) -> anyhow::Result<()> {
    for number in 0..cluster.hosts.len() {
        let process = &mut cluster.hosts[number].1;
        say!("     restarting {}", process.name());
        process.tell_to_stop();
        process.stopped(ENDS_WITHIN).await?;
        process.start_again()?;
        cluster.ready(number).await?;
        tokio::time::sleep(SEEN_WITHIN).await;
    }
    Ok(())
}

/// Each NATS server.
pub(super) async fn nats(cluster: &mut Cluster) -> anyhow::Result<()> {
    for (zone, process) in &mut cluster.nats {
        say!("     restarting {}", process.name());
        process.tell_to_stop();
        process.stopped(ENDS_WITHIN).await?;
        process.start_again()?;
        let address = stores::nats_address(*zone);
        until(process, async || TcpStream::connect(address).await.is_ok()).await?;
        tokio::time::sleep(CAUGHT_UP_WITHIN).await;
    }
    Ok(())
}
