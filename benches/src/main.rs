//! Measures a whole server with isolation on, and the floor of each figure in the same run.
//!
//! ```text
//!   lambent-bench SERVER RUNTIMES [warm] [wrk] [cold] [burst] [memory] [accept] [flood] [backlog] [cluster]
//! ```
//!
//! `SERVER` is the binary to measure, `RUNTIMES` the folder that `runtimes/build` made. Without a
//! section's name all are run. Must run as root, as the server does.

mod burst;
mod cluster;
mod cold;
mod events;
mod floor;
mod functions;
mod http;
mod load;
mod memory;
mod server;
mod warm;
mod wrk;

use std::path::PathBuf;

use anyhow::{Context as _, bail};

/// What is measured, and with what.
pub(crate) struct Setup {
    pub(crate) server: PathBuf,
    pub(crate) runtimes: PathBuf,
    /// The `echo-runtime` next to this binary.
    pub(crate) echo: PathBuf,
}

const SECTIONS: [&str; 9] = [
    "warm", "wrk", "cold", "burst", "memory", "accept", "flood", "backlog", "cluster",
];

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(runtimes)) = (arguments.next(), arguments.next()) else {
        bail!(
            "usage: lambent-bench SERVER RUNTIMES [{}]",
            SECTIONS.join("] [")
        );
    };
    let mut sections: Vec<String> = arguments.collect();
    if let Some(unknown) = sections
        .iter()
        .find(|section| !SECTIONS.contains(&section.as_str()))
    {
        bail!("{unknown} is none of {}", SECTIONS.join(", "));
    }
    if sections.is_empty() {
        // A cluster is not started here: see benches/cluster.
        let all = SECTIONS.iter().filter(|section| **section != "cluster");
        sections = all.map(|section| (*section).to_owned()).collect();
    }
    let beside = std::env::current_exe().context("this binary's place is not known")?;
    let setup = Setup {
        server: PathBuf::from(server)
            .canonicalize()
            .context("SERVER does not exist")?,
        runtimes: PathBuf::from(runtimes)
            .canonicalize()
            .context("RUNTIMES does not exist")?,
        echo: beside.with_file_name("echo-runtime"),
    };
    // One thread: the client must leave the processors to what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        for section in sections {
            match section.as_str() {
                "warm" => warm::measure(&setup).await?,
                "wrk" => wrk::measure(&setup).await?,
                "cold" => cold::measure(&setup).await?,
                "burst" => burst::measure(&setup).await?,
                "accept" => events::acceptance(&setup).await?,
                "flood" => events::flood(&setup).await?,
                "cluster" => cluster::measure(&setup).await?,
                "backlog" => events::neighbour(&setup).await?,
                _ => memory::measure(&setup).await?,
            }
        }
        Ok(())
    })
}
