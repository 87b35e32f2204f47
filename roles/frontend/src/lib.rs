//! The frontend: the one way in which every invoke runs.
//!
//! ```text
//!   HTTP request ─▶ admission ─▶ run: counting + assignment ─▶ worker
//!                   who, what,        may it     which         runs it
//!                   may they?         run now?   environment?     │
//!   HTTP answer  ◀─ answer ◀───────────────────────────────────────┘
//! ```
//!
//! Stateless: any frontend serves any request. Nothing is invoked twice: only what certainly did not
//! run is tried again. Events of the asynchronous plane arrive through [`Frontend::invoker`].

mod answer;
mod attempts;
mod body;
mod invoker;
mod lending;
mod metrics;
mod pace;
mod permits;
mod run;
mod service;
mod starts;
mod urls;

pub use body::{Body, Broken, Stream};
pub use service::{Config, Dependencies, Frontend};
