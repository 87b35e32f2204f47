//! The APIs of an execution environment: the Runtime API, the Extensions API and
//! subscriptions to telemetry.
//!
//! ```text
//!   runtime, extensions ──HTTP──▶ api ──▶ Session ──▶ Machine     pure: who may say what, who
//!                                            ▲                    has asked for the next event
//!   worker: begin_init, begin_invoke, … ─────┘
//! ```
//!
//! Read in this order: [`machine`] decides, [`session`] holds those who wait, `api` speaks HTTP.
//! Everything that arrives over HTTP comes from a hostile process; the worst it can do is to fail
//! its own invoke.
//!
//! Deliberately absent: processes, sandboxes, timeouts, logs. The worker has them.

mod api;
mod error;
mod go_json;
mod machine;
mod session;
mod telemetry;

pub use api::CONNECTIONS_OWN;
pub use error::{TRUNCATED, error_body};
pub use machine::{NotReady, ShutdownReason};
pub use session::{
    Answer, AnswerBody, Answered, Extensions, Identity, InitEnd, Initialising, InvokeEvent,
    Invoked, Session,
};
pub use telemetry::{Destination, Stream, Subscription, Telemetry, TelemetryApi};
