//! `lambent cluster demo`: a cluster of three availability zones on one machine, under load.
//!
//! ```text
//!   outside   root's command: parts fetched, a folder, and one child in namespaces of its own
//!      │        closes the child's standard input when it is to end; sweeps up after it
//!      ▼
//!   inside    process 1 of its own process, mount and network namespaces
//!      │
//!      │        street 198.18.0.254: the load, and S3       a bridge
//!      │          ├── zone-a 198.18.0.1   a network namespace and a pair of interfaces
//!      │          ├── zone-b 198.18.0.2     NATS │ front │ centre │ work
//!      │          └── zone-c 198.18.0.3
//!      ▼
//!   show (a table), or check (a script's)
//! ```
//!
//! Nothing of the machine's own network is touched. When the outer process ends, however it ends, the kernel ends the inner
//! one, and with it all processes, interfaces and mounts; what remains are files and empty cgroups, which the next
//! start sweeps.

mod api;
mod check;
mod folder;
mod hosts;
mod inside;
mod load;
mod measured;
mod metrics;
mod outside;
mod parts;
mod processes;
mod rolling;
mod show;
mod stores;
mod table;
mod zones;

use std::process::ExitCode;

use crate::cli::Demo;

/// Runs it until it is told to stop, or until all is checked.
pub(crate) fn demo(options: &Demo) -> anyhow::Result<ExitCode> {
    match &options.inside {
        None => outside::run(options),
        Some(folder) => inside::run(options, folder),
    }
}
