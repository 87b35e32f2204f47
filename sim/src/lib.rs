//! The whole synchronous path in one process and without a kernel: real roles over sandboxes that are
//! tasks, with a network between them that loses and repeats, in simulated time that passes as fast as
//! possible.
//!
//! ```text
//!   a test ──▶ frontend ──┬──▶ counting
//!                         ├──▶ assignment ──▶ placement      in several processes, over one journal
//!                         └──▶ workers ──▶ engine: processes are tasks that speak the Runtime API
//!             every arrow through `faulty`
//! ```
//!
//! Read in this order: [`world`] puts it together; [`network`] is between its roles, [`workers`] are
//! its machines, [`leaders`] its processes of assignment, [`around`] is the rest; [`engine`] stands in for sandboxes, [`process`] for what runs
//! in them; [`function`] is what functions do and the record of it; [`trial`] is a random history and
//! what must hold in it.
//!
//! All randomness comes from one seed. The one place where roles meet; nothing imports it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is test code: what must hold and does not ends the test"
)]

pub mod around;
pub mod clock;
pub mod engine;
pub mod function;
pub mod leaders;
pub mod network;
pub mod process;
pub mod trial;
pub mod workers;
pub mod world;
