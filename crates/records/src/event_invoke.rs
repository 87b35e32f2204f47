//! How a function's events are invoked: the row that the control plane writes and the event plane
//! reads.
//!
//! ```text
//!   event-invoke/<account>/<region>/<name>/<qualifier>     EventInvokeConfig
//! ```
//!
//! The key is [`attached_key`](crate::functions::attached_key) with
//! [`EVENT_INVOKES`](crate::functions::EVENT_INVOKES). An event takes the row of the qualifier it
//! was sent to, and Lambda's defaults for what that row leaves out.

use serde::{Deserialize, Serialize};
use types::Timestamp;

/// Retries of a failed event where nothing else is said (AWS).
pub const RETRY_ATTEMPTS_DEFAULT: u32 = 2;
/// Seconds an event is kept where nothing else is said (AWS: six hours).
pub const EVENT_AGE_SECONDS_DEFAULT: u32 = 21_600;

/// See the module. `None` is Lambda's default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct EventInvokeConfig {
    /// How often a failed event is tried again, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_attempts_max: Option<u32>,
    /// Seconds after which an event is given up, 60 to 21 600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_age_seconds_max: Option<u32>,
    /// ARN of the destination for successes: a queue, topic, function or event bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<String>,
    /// ARN of the destination for failures: a queue, topic, function, event bus or bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
    /// When it was last written.
    pub last_modified: Timestamp,
}
