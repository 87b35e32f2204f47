//! The words every crate shares: names, ids, limits, time and chance.
//!
//! Architecture invariant: this crate knows no role, no store and no wire format. A type belongs
//! here only when two roles that may not import each other need the same one.

pub mod arn;
pub mod backoff;
pub mod bucket;
pub mod clock;
pub mod fnv;
pub mod ids;
pub mod json;
pub mod layer_arn;
pub mod limits;
pub mod names;
pub mod net;
pub mod origin;
pub mod pressure;
pub mod random;
pub mod role;
pub mod role_arn;
pub mod seldom;
pub mod words;

pub use arn::{FunctionArn, FunctionRef, Qualifier, runtime_version_arn};
pub use backoff::Backoff;
pub use bucket::Bucket;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use ids::{EnvironmentId, PermitId, ProcessId, RequestId, WorkerId};
pub use layer_arn::{LayerArn, LayerVersionArn};
pub use names::{AccountId, AliasName, FunctionName, LayerName, NameError, Region, Scope, Version};
pub use net::Net;
pub use origin::{Origin, Transport};
pub use pressure::Pressure;
pub use random::{Random, SystemRandom};
pub use role::Role;
pub use role_arn::RoleArn;
pub use seldom::Seldom;
pub use words::{ForCallers, Inner};
