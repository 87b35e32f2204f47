//! The whole synchronous path in one process and without a kernel: real roles over sandboxes that are tasks, with a
//! network between them that loses and repeats, in a time that passes as fast as it can.
//!
//! ```text
//!   a test ──▶ frontend ──┬──▶ counting
//!                         ├──▶ assignment ──▶ placement
//!                         └──▶ workers ──▶ engine: processes are tasks that speak the Runtime API
//!             every arrow by way of `faulty`
//! ```
//!
//! Read in this order: [`world`] puts it together; [`network`] is between its roles, [`workers`] are its machines, [`around`] is the rest; [`engine`] is what stands for sandboxes, [`process`] for what
//! runs in them; [`function`] is what functions do and what is noted of it; [`trial`] is a random history and
//! what must hold in it.
//!
//! Everything random comes from one seed. The one place where roles meet; nothing imports it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is test code: what must hold and does not ends the test"
)]

pub mod around;
pub mod clock;
pub mod engine;
pub mod function;
pub mod network;
pub mod process;
pub mod trial;
pub mod workers;
pub mod world;
