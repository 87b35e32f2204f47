//! The kernel's calls that Rust's library does not offer, each behind a safe function.
//!
//! All the unsafe code of the workspace's sandbox is in this folder, so that the rest can be read for
//! its decisions. A function here makes one call, or the few that belong together, checks the answer
//! and owns what it returns; it decides nothing.
//!
//! Paths and strings are given a terminating zero here; a zero inside one is an error, never a cut.
#![expect(
    unsafe_code,
    reason = "system calls that have no safe wrapper in the standard library"
)]

pub(crate) mod confinement;
pub(crate) mod files;
pub(crate) mod memory;
pub(crate) mod mounts;
pub(crate) mod namespaces;
pub(crate) mod notifications;
pub(crate) mod privileges;
pub(crate) mod processes;
pub(crate) mod reactor;
pub(crate) mod signals;
pub(crate) mod sockets;

use std::ffi::CString;
use std::io;
use std::path::Path;

/// Turns the kernel's `-1` into the error it set.
fn check(result: impl Into<i64>) -> io::Result<i64> {
    match result.into() {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// A path as the kernel wants it.
fn c_path(path: &Path) -> io::Result<CString> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// A text as the kernel wants it.
fn c_text(text: &str) -> io::Result<CString> {
    Ok(CString::new(text)?)
}
