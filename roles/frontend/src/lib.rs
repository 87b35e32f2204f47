//! The frontend: the one way in which every invoke runs.
//!
//! ```text
//!   HTTP request ─▶ authenticate ─▶ request ─▶ metadata ─▶ counting ─▶ assignment ─▶ worker
//!                   who signed?     checked    which       may it      which         runs it
//!                                   parts      version?    run now?    environment?
//!   HTTP answer  ◀─ answer ◀──────────────────────────────────────────────────────────┘
//! ```
//!
//! Stateless: any frontend serves any request. Function metadata is cached in full and kept fresh
//! by watching the table. Nothing is invoked twice: only what certainly did not run is tried again.

mod answer;
mod authenticate;
mod body;
mod metadata;
mod metrics;
mod pace;
mod request;
mod run;
mod service;
mod trace;
mod urls;

pub use body::{Body, Broken, Stream};
pub use metadata::Metadata;
pub use service::{Config, Dependencies, Frontend};
