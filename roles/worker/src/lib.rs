//! The worker: makes execution environments and runs invokes in them.
//!
//! ```text
//!   create ─▶ sandbox + code + processes ─▶ init ─▶ idle ⇄ invoke ─▶ … ─▶ shutdown
//!                                            │       ▲        │ crash, timeout
//!                                            └───────┴── reset ◀┘  (next invoke runs init again)
//! ```
//!
//! Read in this order: [`service`] holds the environments; `environment` is one of them; `create` and `remove` are its
//! beginning and end; `make`, `init`, `invoke` and `shutdown` are its phases; `drain` is how a worker gets rid of all; `guard` ends some when the machine is short; `door` is its way to the API; `turns`, `plan`, `runtimes`, `file_systems`,
//! `outcome` and `report` are the pure parts: whose turn it is, what to start, in which language, with
//! which folders, what a failure is called, what the log says.
//!
//! Invariants: the worker is the arbiter of lending: an environment runs one invoke at a time,
//! whatever callers do; a failure inside an environment ends in an answer to its caller and never here;
//! nothing an environment says is trusted.

mod config;
mod create;
mod door;
mod drain;
mod environment;
mod file_systems;
mod guard;
mod hints;
mod init;
mod invoke;
mod log;
mod make;
mod metrics;
mod outbox;
mod outcome;
mod plan;
mod platform;
mod processors;
mod remove;
mod report;
mod runtimes;
mod service;
mod shutdown;
mod slots;
mod subscriptions;
mod telemetry;
mod turns;
mod weights;

/// Descriptors of this process that an environment takes in any case: its sandbox's, two outlets for
/// what is printed, its own connections to the Runtime API, and one to Lambent's API that waits.
pub const DESCRIPTORS: u64 = sandbox::DESCRIPTORS + 4 + ::environment::CONNECTIONS_OWN as u64 + 1;

pub use config::{Config, Folder};
pub use runtimes::{Interpreter, Runtime, Runtimes, host_architecture, language_version};
pub use service::{Dependencies, Handle};
