//! The names of a host's files, besides those that say who it is.

/// The authority's private key, until the first process has sealed it into the table.
pub(super) const AUTHORITY_KEY: &str = "authority.key";
/// The master keys.
pub(super) const SECRET: &str = "secret";
/// The root access key.
pub(super) const CREDENTIALS: &str = "credentials";
/// The configuration.
pub(super) const CONFIGURATION: &str = "lambent.toml";
