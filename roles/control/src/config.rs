//! What an operator can say about the control plane.

use types::limits::{
    ACCOUNT_CONCURRENCY, CONTROL_PLANE_PER_SECOND, GET_FUNCTION_PER_SECOND, GET_POLICY_PER_SECOND,
};

/// See the module.
#[derive(Clone, Debug)]
pub struct Config {
    /// What sessions of execution roles may do beside `sts:GetCallerIdentity`: patterns of
    /// actions, `lambda:InvokeFunction` or `lambda:*`. Nothing by default.
    pub role_actions: Vec<String>,
    /// Concurrent executions of each account and region.
    pub account_concurrency: u32,
    /// Calls a second of each account and region.
    pub rates: Rates,
    /// The scheme under which clients reach us, for the links we give out: `http` or `https`.
    pub public_scheme: String,
    /// The runtimes that functions may name.
    pub runtimes: Vec<String>,
}

/// Calls a second of one account in one region; as many may come at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rates {
    /// GetFunction.
    pub get_function: u32,
    /// GetPolicy.
    pub get_policy: u32,
    /// All other operations together.
    pub others: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            get_function: GET_FUNCTION_PER_SECOND,
            get_policy: GET_POLICY_PER_SECOND,
            others: CONTROL_PLANE_PER_SECOND,
        }
    }
}

/// Runtimes of a fresh installation.
const RUNTIMES: [&str; 16] = [
    "java11",
    "java17",
    "java21",
    "java25",
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "provided.al2",
    "provided.al2023",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
];

impl Default for Config {
    fn default() -> Self {
        Self {
            role_actions: Vec::new(),
            account_concurrency: ACCOUNT_CONCURRENCY,
            rates: Rates::default(),
            public_scheme: "http".to_owned(),
            runtimes: RUNTIMES.map(str::to_owned).to_vec(),
        }
    }
}
