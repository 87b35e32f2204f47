//! What a function's processes are started with: variables and limits. Pure.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

use api::credentials::Credentials;
use records::functions::{FunctionVersion, LogFormat};
use sandbox::{CpuWeight, Share, Spec};
use types::EnvironmentId;
use types::limits::{
    INIT_TIMEOUT, INIT_TIMEOUT_AHEAD, MEMORY_MB_PER_CPU, OPEN_FILES_MAX, PROCESSES_MAX,
};

use crate::runtimes::Launch;

/// Where the Runtime API is, inside.
const RUNTIME_API: &str = "127.0.0.1:9001";
/// What an init phase gets of the processors at least: two, so that a virtual machine's compiler
/// does not stand in its way.
const INIT_CPU_MILLIS: u32 = 2_000;
const MIB: u64 = 1024 * 1024;

/// Variables extensions do not get, in addition to all that begin with `AWS_XRAY` or `_AWS_XRAY`.
const NOT_FOR_EXTENSIONS: [&str; 9] = [
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_LAMBDA_TELEMETRY_LOG_FD",
];

/// What the variables are made of in addition to the function itself.
pub(crate) struct Given<'a> {
    pub(crate) function: &'a FunctionVersion,
    pub(crate) launch: &'a Launch,
    pub(crate) credentials: &'a Credentials,
    pub(crate) log_stream: &'a str,
    /// Whether it is provisioned.
    pub(crate) ahead: bool,
    /// Variables every function of this installation gets.
    pub(crate) common: &'a BTreeMap<String, String>,
}

/// The runtime's variables. Later ones win: defaults, the runtime's, the installation's, the
/// user's, and last those that nobody may change.
pub(crate) fn variables(given: &Given<'_>) -> BTreeMap<String, String> {
    let configuration = &given.function.configuration;
    let runtime = configuration.runtime.as_deref().unwrap_or_default();
    let mut all: BTreeMap<String, String> = [
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        (
            "LD_LIBRARY_PATH",
            "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
        ),
        ("TZ", ":UTC"),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000"),
        ("_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1"),
        ("_AWS_XRAY_DAEMON_PORT", "2000"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    all.extend(given.launch.environment.clone());
    all.extend(given.common.clone());
    all.extend(configuration.environment.clone().unwrap_or_default());
    // Set only if the format is JSON.
    all.remove("AWS_LAMBDA_LOG_FORMAT");
    let mut set = |key: &str, value: &str| all.insert(key.to_owned(), value.to_owned());
    let region = given.function.scope.region.as_str();
    set(
        "_HANDLER",
        configuration.handler.as_deref().unwrap_or_default(),
    );
    set("AWS_REGION", region);
    set("AWS_DEFAULT_REGION", region);
    if !runtime.starts_with("provided") {
        set("AWS_EXECUTION_ENV", &format!("AWS_Lambda_{runtime}"));
    }
    set("AWS_LAMBDA_FUNCTION_NAME", given.function.name.as_str());
    set(
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        &configuration.memory_mb.to_string(),
    );
    set(
        "AWS_LAMBDA_FUNCTION_VERSION",
        &configuration.version.to_string(),
    );
    set(
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        initialisation_type(given.ahead),
    );
    set("AWS_LAMBDA_LOG_GROUP_NAME", &configuration.logging.group);
    set("AWS_LAMBDA_LOG_STREAM_NAME", given.log_stream);
    if configuration.logging.format == LogFormat::Json {
        let level = configuration.logging.application_level.as_deref();
        set("AWS_LAMBDA_LOG_LEVEL", level.unwrap_or("INFO"));
        set("AWS_LAMBDA_LOG_FORMAT", "JSON");
    }
    set("AWS_ACCESS_KEY_ID", &given.credentials.access_key_id);
    set(
        "AWS_SECRET_ACCESS_KEY",
        given.credentials.secret_access_key.expose(),
    );
    set(
        "AWS_SESSION_TOKEN",
        given.credentials.session_token.expose(),
    );
    set("AWS_LAMBDA_RUNTIME_API", RUNTIME_API);
    set("LAMBDA_TASK_ROOT", "/var/task");
    set("LAMBDA_RUNTIME_DIR", "/var/runtime");
    all
}

/// What is executed for a managed runtime, without the function's wrapper.
pub(crate) fn command(launch: &Launch, variables: &BTreeMap<String, String>) -> Vec<String> {
    let wanted = launch.arguments.iter().filter(|argument| {
        let said = variables.get(&argument.unless.variable);
        !said.is_some_and(|said| said.contains(&argument.unless.has))
    });
    let mut command = launch.command.clone();
    if !command.is_empty() {
        command.splice(1..1, wanted.map(|argument| argument.argument.clone()));
    }
    command
}

/// The variables of an external extension, from the runtime's.
pub(crate) fn extension_variables(runtime: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let shown = |key: &str| {
        !NOT_FOR_EXTENSIONS.contains(&key)
            && !key.starts_with("AWS_XRAY")
            && !key.starts_with("_AWS_XRAY")
    };
    runtime
        .iter()
        .filter(|(key, _)| shown(key))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// As execve takes them. A NUL in a name or value cannot be passed on; the control plane lets none
/// in, and such a variable is left out.
pub(crate) fn to_environ(variables: &BTreeMap<String, String>) -> Vec<CString> {
    let pairs = variables
        .iter()
        .map(|(key, value)| CString::new(format!("{key}={value}")));
    pairs.filter_map(Result::ok).collect()
}

/// `AWS_LAMBDA_INITIALIZATION_TYPE`.
fn initialisation_type(ahead: bool) -> &'static str {
    if ahead {
        "provisioned-concurrency"
    } else {
        "on-demand"
    }
}

/// How long the init phase may take. A provisioned environment has longer, as nobody waits.
pub(crate) fn init_limit(ahead: bool, timeout: Duration) -> Duration {
    if ahead {
        INIT_TIMEOUT_AHEAD.max(timeout)
    } else {
        INIT_TIMEOUT
    }
}

/// The share of processors that so much memory buys, thousandths of one.
pub(crate) fn cpu_millis(memory_mb: u32) -> u32 {
    memory_mb * 1000 / MEMORY_MB_PER_CPU
}

/// The sandbox of an environment, as its init phase finds it. Init has more of the processors where there is
/// enough, and weighs no more than the function where there is not.
pub(crate) fn sandbox_spec(
    environment: EnvironmentId,
    function: &FunctionVersion,
    launch: &Launch,
    (task, opt): (PathBuf, Option<PathBuf>),
    shares: Vec<Share>,
    cpu_weight: CpuWeight,
) -> Spec {
    let configuration = &function.configuration;
    Spec {
        id: environment.to_string(),
        root: launch.root.clone(),
        task,
        opt,
        runtime: launch.folder.clone(),
        shares,
        memory_bytes: u64::from(configuration.memory_mb) * MIB,
        // As Lambda does, init gets more of the processors, whatever the function's share.
        cpu_millis: cpu_millis(configuration.memory_mb).max(INIT_CPU_MILLIS),
        cpu_weight,
        processes_max: PROCESSES_MAX,
        open_files_max: OPEN_FILES_MAX,
        tmp_bytes: u64::from(configuration.ephemeral_mb) * MIB,
        hostname: "169.254.100.6".to_owned(),
    }
}

#[cfg(test)]
mod tests;
