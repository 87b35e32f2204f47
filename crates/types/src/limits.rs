//! Every limit, with its source. "AWS" means Lambda's published quotas.

use std::time::Duration;

/// Concurrent executions of an account and region by default (AWS; can be raised).
pub const ACCOUNT_CONCURRENCY: u32 = 1_000;
/// What reservations must leave to functions without one (AWS).
pub const UNRESERVED_CONCURRENCY_MIN: u32 = 100;
/// New concurrency a function may grow by at once (AWS: 1 000 every 10 s, never stored beyond it).
pub const SCALING_BURST: u32 = 1_000;
/// How long the whole of [`SCALING_BURST`] takes to refill (AWS).
pub const SCALING_REFILL: Duration = Duration::from_secs(10);
/// Requests per second for each unit of concurrency (AWS).
pub const INVOKES_PER_SECOND_PER_CONCURRENCY: u32 = 10;
/// GetFunction calls of an account and region a second (AWS).
pub const GET_FUNCTION_PER_SECOND: u32 = 100;
/// GetPolicy calls of an account and region a second (AWS).
pub const GET_POLICY_PER_SECOND: u32 = 15;
/// All other calls to the control plane of an account and region a second, together (AWS).
pub const CONTROL_PLANE_PER_SECOND: u32 = 15;
/// Environments a second that are started for one function's provisioned concurrency (AWS:
/// 6 000 a minute).
pub const PROVISIONED_PER_SECOND: u32 = 100;

/// Memory of a function at most, MB of 1024 x 1024 bytes (AWS).
pub const MEMORY_MB_MAX: u32 = 10_240;
/// Memory of a function that does not say (AWS).
pub const MEMORY_MB_DEFAULT: u32 = 128;
/// Memory that buys one full processor (AWS).
pub const MEMORY_MB_PER_CPU: u32 = 1_769;
/// Timeout of a function that does not say, seconds (AWS).
pub const TIMEOUT_SECONDS_DEFAULT: u32 = 3;
/// Timeout of a function at most, seconds (AWS).
pub const TIMEOUT_SECONDS_MAX: u32 = 900;
/// Size of `/tmp`, MB, at least and by default (AWS).
pub const EPHEMERAL_MB_MIN: u32 = 512;

/// Payload of a synchronous request, bytes (AWS: 6 MB).
pub const SYNC_REQUEST_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Payload of an asynchronous request, bytes (AWS: 1 MB).
pub const ASYNC_REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Result of a synchronous invoke, bytes (AWS: 6 MiB + 100, as its own message says: 6291556).
pub const SYNC_RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;
/// A streamed response, bytes (AWS: 200 MB).
pub const STREAMED_RESPONSE_BYTES_MAX: u64 = 200 * 1024 * 1024;
/// Bytes of a streamed response that are sent as fast as they come (AWS: 6 MB).
pub const STREAM_BURST_BYTES: u64 = 6 * 1024 * 1024;
/// The rest of a streamed response, bytes a second (AWS: 2 MB).
pub const STREAM_BYTES_PER_SECOND: u64 = 2 * 1024 * 1024;
/// `X-Amz-Client-Context`, bytes after base64 (AWS).
pub const CLIENT_CONTEXT_BYTES_MAX: usize = 3_583;
/// Keys and values of all environment variables together, bytes (AWS).
pub const ENVIRONMENT_BYTES_MAX: usize = 4_096;
/// A zip package sent in the request, bytes (AWS: 50 MB).
pub const ZIP_UPLOAD_BYTES_MAX: usize = 52_428_800;
/// Unpacked code and layers, bytes (AWS: 250 MB).
pub const UNZIPPED_BYTES_MAX: u64 = 262_144_000;
/// Code kept per account and region, bytes (AWS: 75 GB, in GetAccountSettings).
pub const ACCOUNT_CODE_BYTES_MAX: u64 = 80_530_636_800;
/// Layers of a function (AWS).
pub const LAYERS_MAX: usize = 5;
/// Tags of one resource (AWS).
pub const TAGS_MAX: usize = 50;
/// The log tail in a response, bytes before base64 (AWS: 4 KB).
pub const LOG_TAIL_BYTES_MAX: usize = 4_096;
/// Open file descriptors of a process in an environment (AWS).
pub const OPEN_FILES_MAX: u32 = 1_024;
/// Processes and threads of an environment (AWS).
pub const PROCESSES_MAX: u32 = 1_024;
/// Extensions of a function (AWS).
pub const EXTENSIONS_MAX: usize = 10;

/// The init phase, on demand (AWS).
pub const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// The init phase of a provisioned environment, at least; the function's timeout if
/// that is longer (AWS).
pub const INIT_TIMEOUT_AHEAD: Duration = Duration::from_secs(130);
/// The runtime's part of a shutdown before it is killed (AWS).
pub const SHUTDOWN_RUNTIME: Duration = Duration::from_millis(300);
/// A shutdown with internal extensions only (AWS).
pub const SHUTDOWN_INTERNAL: Duration = Duration::from_millis(500);
/// A shutdown with at least one external extension (AWS).
pub const SHUTDOWN_EXTERNAL: Duration = Duration::from_millis(2_000);
/// How far a signed request's time may be from ours (AWS).
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);
