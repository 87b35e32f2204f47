//! Sandboxes: what one execution environment runs in.
//!
//! ```text
//!   lambent ──exec──▶ spawner (one per root; in the prepared root, one thread)
//!      │                 │ clone3: new pid, mount, ipc, uts namespaces
//!      │                 ▼
//!      └──control──▶ sandbox init (pid 1 inside, its own user namespace)
//!                        │ fork, into the sandbox's cgroups
//!                        ▼
//!                     the function's processes (uid 993 inside, no capability, seccomp)
//! ```
//!
//! [`ProcessEngine::start`] starts the spawners by executing its own program once more: so one can be
//! started again at any time, with threads and secrets in this process. Therefore
//! [`become_spawner_if_asked`] is the first thing such a program does. The [`Engine`] then makes
//! [`Instance`]s. When a spawner dies, its sandboxes die with it and another takes its place. When the
//! owner dies, by whatever means, the kernel kills everything below it; [`sweep`] removes the empty
//! cgroup folders that then remain.
//!
//! Invariants: a function's process is never a child of the owner's, never shares a user, a network
//! namespace or a cgroup with another sandbox, and has no descriptor but its three standard streams.
//! All unsafe code is in `sys`.

mod cgroup;
mod channel;
mod config;
mod confined;
mod connection;
mod engine;
mod error;
mod init;
mod machine;
mod message;
mod nat;
mod netlink;
mod netns;
mod output;
mod process;
mod seccomp;
mod share;
mod spawner;
mod spec;
mod sweep;
mod sys;
mod users;

pub use config::{Config, Nat, Network, Root, RootKind};
pub use confined::{Confined, become_confined_if_asked, confine};
pub use connection::{Connection, Duplex, Listener};
pub use engine::{Engine, Instance, Lingering, Load, Usage};
pub use error::Error;
pub use output::{Outlet, Output, Printed};
pub use process::{DESCRIPTORS, ProcessEngine, raise_open_files};
pub use share::{Share, ShareUser};
pub use spawner::{become_spawner_if_asked, keep_secrets};
pub use spec::{CpuWeight, Exit, Process, Signal, Spec, Started};
pub use sweep::{Swept, sweep};
pub use sys::memory::return_freed as return_freed_memory;
