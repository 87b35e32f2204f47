//! What every sandbox of one run shares. Plain data.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::error::Error;

/// The host users of a range, in pairs: a sandbox takes two, and the last two belong to no sandbox.
pub(crate) const SLOTS_MAX: u32 = 32_768;

/// What every sandbox of one run shares.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names our parent cgroup, `lambent-<tag>`. The same for every run with one data directory, so
    /// that the next run can remove what a killed one left. `[a-z0-9-]{1,32}`.
    pub tag: String,
    /// The root file systems sandboxes can have; each has a spawner of its own.
    pub roots: Vec<Root>,
    /// The host folder under which every directory lives that a sandbox shows at `/var/task` or `/opt`.
    /// It may be removed and created again.
    pub images: PathBuf,
    /// The first of the host's user numbers (and group numbers) that belong to sandboxes: the n-th
    /// sandbox takes `first_uid + 2n` for its init and the next one for the function. Nothing else
    /// on the host may use them.
    pub first_uid: u32,
    /// How many network namespaces (with their listeners) and cgroups are kept ready.
    pub pool: usize,
    /// What all sandboxes may use together of the machine's memory, with their `/tmp`s and cached
    /// files. At the limit the kernel first reclaims cached files, then kills some of them.
    pub memory_bytes: u64,
    /// What functions can reach.
    pub network: Network,
    /// A port of the loopback inside that the owner listens on, too: see
    /// [`crate::Instance::take_door`].
    pub door: Option<u16>,
}

/// What functions reach beyond their own sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// Nothing: a loopback interface of their own.
    None,
    /// The internet, by address translation on this host. Needs the `nft` command, and switches the
    /// host's IPv4 forwarding on.
    Nat(Nat),
}

/// The way out of sandboxes. In addition to what is configured here, these are refused: the host
/// itself, other sandboxes, link-local addresses. IPv4 only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nat {
    /// The first address of a net of 131 072 (`/15`) that is used nowhere else: four for each sandbox.
    pub subnet: Ipv4Addr,
    /// TCP ports of the host that functions may reach nevertheless.
    pub allow_host_ports: Vec<u16>,
    /// Whether functions may reach private networks (`10.0.0.0/8` and its like).
    pub allow_private: bool,
}

/// A root file system, prepared once and shared read-only by the sandboxes that name it.
#[derive(Clone, Debug)]
pub struct Root {
    /// The name by which a [`crate::Spec`] selects it.
    pub name: String,
    /// Where its files come from.
    pub kind: RootKind,
    /// The host folder that holds every directory a sandbox may show at `/var/runtime`.
    pub runtimes: PathBuf,
}

/// Where the files of a root come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootKind {
    /// The host's `/usr` and the few files of its `/etc` that programs need.
    Host,
    /// A directory that holds a whole root, as a container image has it.
    Directory(PathBuf),
}

impl Config {
    /// The one of the range's users that no sandbox uses: for [`crate::confine`].
    pub fn confined_user(&self) -> u32 {
        self.first_uid.saturating_add(2 * SLOTS_MAX - 1)
    }

    /// Refuses what could not work or would be unsafe.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |field, rule| Err(Error::Invalid { field, rule });
        if !is_name(&self.tag, 32) {
            return invalid("tag", "1 to 32 of a-z, 0-9 and -");
        }
        if self.roots.is_empty() || self.roots.iter().any(|root| !is_name(&root.name, 64)) {
            return invalid(
                "roots",
                "at least one, each named by 1 to 64 of a-z, 0-9, . and -",
            );
        }
        if self.first_uid < 1_000 || self.first_uid > u32::MAX - 2 * SLOTS_MAX - 1 {
            return invalid(
                "first_uid",
                "above the system's users and with room for all sandboxes",
            );
        }
        if let Network::Nat(nat) = &self.network
            && nat.subnet.to_bits() % (4 * SLOTS_MAX) != 0
        {
            return invalid("network.subnet", "the first address of a /15");
        }
        Ok(())
    }
}

/// Whether a text can name a cgroup, a root or a host without surprises.
pub(crate) fn is_name(text: &str, length_max: usize) -> bool {
    let good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=length_max).contains(&text.len()) && text.bytes().all(good) && !text.starts_with('.')
}
