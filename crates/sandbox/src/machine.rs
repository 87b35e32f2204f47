//! What this machine's kernel has for everything that runs on it, sandboxes or not.

use std::fs;
use std::io;

use crate::sys::files;

/// How many processes and threads there can be at once: how many numbers there are for them, and how
/// many the kernel has memory for.
pub(crate) fn processes() -> io::Result<u64> {
    let number = |file: &str| -> io::Result<u64> {
        let text = fs::read_to_string(file)?;
        text.trim()
            .parse()
            .map_err(|_| io::Error::other("the kernel's file holds no number"))
    };
    let (numbers, threads) = (
        number("/proc/sys/kernel/pid_max")?,
        number("/proc/sys/kernel/threads-max")?,
    );
    Ok(numbers.min(threads))
}

/// The machine's memory, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total: u64,
    /// What could be used now without harm to other programs.
    pub(crate) available: u64,
}

pub(crate) fn memory() -> io::Result<Memory> {
    parse_memory(&fs::read_to_string("/proc/meminfo")?)
        .ok_or_else(|| io::Error::other("the kernel does not tell what memory there is"))
}

fn parse_memory(meminfo: &str) -> Option<Memory> {
    let bytes = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        kilobytes.checked_mul(1 << 10)
    };
    Some(Memory {
        total: bytes("MemTotal:")?,
        available: bytes("MemAvailable:")?,
    })
}

/// How many bytes the sockets of all sandboxes may buffer together: half of what the kernel allows TCP
/// before it takes from every connection of the machine. `None` if the kernel does not say.
pub(crate) fn socket_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/tcp_mem").ok()?;
    parse_socket_bytes(&text, files::page_bytes())
}

/// The file has three numbers of pages: below the first the kernel is not under pressure, above the
/// second it is, and above the third it gives no more.
fn parse_socket_bytes(tcp_mem: &str, page_bytes: u64) -> Option<u64> {
    let at_ease: u64 = tcp_mem.split_whitespace().next()?.parse().ok()?;
    at_ease.checked_mul(page_bytes).map(|bytes| bytes / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_kilobytes() {
        let meminfo = "MemTotal:       4096 kB\nMemAvailable:    2048 kB\n";
        let (total, available) = (4 << 20, 2 << 20);
        assert_eq!(parse_memory(meminfo), Some(Memory { total, available }));
        assert_eq!(parse_memory("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn sockets_together_stay_below_what_makes_the_kernel_uneasy() {
        let bytes = parse_socket_bytes("287901\t383868\t575802\n", 4096);
        assert_eq!(bytes, Some(287_901 * 2048));
        assert_eq!(parse_socket_bytes("", 4096), None);
    }
}
