//! The asynchronous data plane: events are kept first and invoked later.
//!
//! ```text
//!   frontend ─▶ accept ─▶ router ─▶ queues ◀─ manager: how many, which
//!   checked     durable,   which               │
//!   request     then 202   queue?              ▼
//!                                   poller ─▶ work ─▶ frontend: the synchronous way
//!                                   one for            │
//!                                   each leased queue  ├─ retry: again, and when? or over?
//!                                                      └─ destinations: where outcomes go
//! ```
//!
//! An event that was acknowledged is in a queue until its outcome is known and told, or it is dropped
//! by the rules; whatever crashes, it is tried again. So it may be invoked twice, never not at all.
//!
//! Read in this order. Pure: [`event`], [`retry`], [`record`], [`destination`], [`shards`], [`window`],
//! [`plan`], [`charges`]. Then [`gone`], [`budget`], [`router`], [`windows`], [`pressure`], [`settings`], [`accept`], [`work`],
//! [`destinations`], [`poller`], [`manager`], [`parts`], [`service`], [`view`], [`console`].

mod accept;
mod budget;
mod charges;
mod config;
mod console;
mod destination;
mod destinations;
mod event;
mod frontend;
mod gone;
mod inventory;
mod manager;
mod metrics;
mod parts;
mod plan;
mod poller;
mod pressure;
mod record;
mod retry;
mod router;
mod service;
mod settings;
mod shards;
mod view;
mod window;
mod windows;
mod work;

#[cfg(test)]
mod tests;

pub use charges::Kept;
pub use config::Config;
pub use console::is_console;
pub use destinations::peers::Endpoints;
pub use frontend::EventFrontend;
pub use inventory::{Kind, Told, told};
pub use service::{Dependencies, EventInvoke};
