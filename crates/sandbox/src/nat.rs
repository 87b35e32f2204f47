//! The way out of sandboxes, where it is configured: who may go where.
//!
//! ```text
//!   sandbox eth0 10.x.x.2/30 ══ l<tag>-<slot> 10.x.x.1/30 host ──▶ masqueraded ──▶ the world
//! ```
//!
//! Each sandbox has a pair of interfaces with a net of four addresses. The host's packet filter passes
//! traffic to the internet and its answers; everything else is refused: the host itself (except for the
//! ports configured), other sandboxes, link-local addresses (where clouds offer credentials), private
//! networks unless allowed, and packets with a forged sender address. IPv6 is neither configured nor
//! passed.
//!
//! The kernel remembers each flow in a table that the whole machine shares. So each sandbox has a
//! bounded number of them and begins a bounded number each second, and silent ones are soon forgotten.
//!
//! The pairs vanish with their namespaces. The rules are one table named after the tag, which the
//! next run replaces and [`crate::sweep`] removes.

use std::fs;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use crate::cgroup::parent_name;
use crate::config::Nat;
use crate::error::Error;

/// Never part of the internet: this host, loopback, link-local, multicast and reserved.
const NOWHERE: &str = "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3";
/// Private networks (RFC 1918) and the shared address space (RFC 6598).
const PRIVATE: &str = "10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16";
/// The most flows that a sandbox has at once: as many as Lambda gives it descriptors.
const FLOWS_MAX: u64 = 1_024;
/// The machine's table must hold the flows of this many sandboxes that have all they may.
const FLOWS_SHARE: u64 = 64;
/// New flows of a sandbox each second, once it has begun as many as it may have.
const FLOWS_PER_SECOND: u64 = 256;
/// How many flows the machine's table holds, once the kernel has one.
const TABLE_FILE: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
/// How many seconds a flow is remembered for: an open connection as long as AWS's own NAT gateway does, one
/// that is not answered, or is over, for as long as an answer may take.
const TIMEOUTS: &str = "
    ct timeout tcp_flow {
        protocol tcp; l3proto ip;
        policy = { syn_sent : 20, syn_recv : 20, established : 350, fin_wait : 20,
            close_wait : 20, last_ack : 20, time_wait : 20, close : 5 };
    }
    ct timeout udp_flow {
        protocol udp; l3proto ip;
        policy = { unreplied : 20, replied : 120 };
    }";

/// Where to read which servers resolve names: the second has the servers behind a local stub.
const RESOLVER_FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// The prefix of all host-side interfaces of a tag's sandboxes: 8 of the 15 bytes a name may have.
pub(crate) fn interface_prefix(tag: &str) -> String {
    // Two tags that share a prefix share their rules, which only makes them stricter.
    let hash = types::fnv::hash_32(&[tag.as_bytes()]);
    format!("l{:06x}-", hash & 0x00FF_FFFF)
}

/// The host's end and the sandbox's of the n-th net of four.
pub(crate) fn addresses(nat: &Nat, slot: u32) -> (Ipv4Addr, Ipv4Addr) {
    let net = nat.subnet.to_bits() + 4 * slot;
    (Ipv4Addr::from_bits(net + 1), Ipv4Addr::from_bits(net + 2))
}

/// The servers that resolve names for this host and that a sandbox could reach too.
pub(crate) fn resolvers() -> Vec<Ipv4Addr> {
    RESOLVER_FILES
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .map(|text| parse_resolvers(&text))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn parse_resolvers(text: &str) -> Vec<Ipv4Addr> {
    text.lines()
        .filter_map(|line| line.strip_prefix("nameserver")?.trim().parse().ok())
        .filter(|address: &Ipv4Addr| !address.is_loopback())
        .collect()
}

/// Gives sandboxes a way out, by the rules. Replaces what an earlier run left.
pub(crate) fn open(tag: &str, nat: &Nat) -> Result<(), Error> {
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(Error::step("forward packets"))?;
    let table = fs::read_to_string(TABLE_FILE).ok();
    let flows = flows_max(table.and_then(|text| text.trim().parse().ok()));
    let rules = |timeouts| {
        rules(
            tag,
            nat,
            &resolvers(),
            &Flows {
                max: flows,
                timeouts,
            },
        )
    };
    // A kernel without timeouts per rule remembers flows for as long as all others.
    match filter(&rules(true)).or_else(|_| filter(&rules(false))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Unsupported {
            missing: "network access needs the nft command",
        }),
        done => done.map_err(Error::step("set the packet filter's rules")),
    }
}

/// Removes the rules; forwarding stays as it is, as others may rely on it.
pub(crate) fn close(tag: &str) {
    // The addition makes sure that there is something to delete. Without nft there never was.
    let _ = filter(&format!(
        "add table inet {0}\ndelete table inet {0}\n",
        parent_name(tag)
    ));
}

/// Runs a script of the packet filter, as a whole or not at all.
fn filter(script: &str) -> io::Result<()> {
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = nft.stdin.take() {
        input.write_all(script.as_bytes())?;
    }
    let output = nft.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(
        said.lines().next().unwrap_or("nft failed").to_owned(),
    ))
}

/// What a sandbox may have of the machine's table of flows.
struct Flows {
    max: u64,
    /// Whether the kernel can have [`TIMEOUTS`].
    timeouts: bool,
}

/// How many flows a sandbox may have where the machine's table holds `table` of them.
fn flows_max(table: Option<u64>) -> u64 {
    table.map_or(FLOWS_MAX, |table| {
        (table / FLOWS_SHARE).clamp(16, FLOWS_MAX)
    })
}

/// The rules, in the packet filter's language.
fn rules(tag: &str, nat: &Nat, resolvers: &[Ipv4Addr], flows: &Flows) -> String {
    let table = parent_name(tag);
    let sandboxes = format!("\"{}*\"", interface_prefix(tag));
    let list = |items: Vec<String>, rule: &dyn Fn(&str) -> String| match items.join(", ") {
        items if items.is_empty() => String::new(),
        items => rule(&items),
    };
    let names = list(
        resolvers.iter().map(ToString::to_string).collect(),
        &|servers| {
            format!("ip daddr {{ {servers} }} meta l4proto {{ tcp, udp }} th dport 53 accept")
        },
    );
    let ports = list(
        nat.allow_host_ports
            .iter()
            .map(ToString::to_string)
            .collect(),
        &|ports| format!("tcp dport {{ {ports} }} accept"),
    );
    let private = if nat.allow_private {
        String::new()
    } else {
        format!("ip daddr {{ {PRIVATE} }} jump refuse")
    };
    let subnet = nat.subnet;
    let (timeouts, brief) = match flows.timeouts {
        true => (
            TIMEOUTS,
            "meta l4proto tcp ct timeout set \"tcp_flow\"
        meta l4proto udp ct timeout set \"udp_flow\"",
        ),
        false => ("", ""),
    };
    let max = flows.max;
    let rate = format!("limit rate over {FLOWS_PER_SECOND}/second burst {max} packets");
    format!(
        "add table inet {table}
delete table inet {table}
table inet {table} {{{timeouts}
    set flows {{
        type ipv4_addr; size 65535; flags dynamic;
    }}
    set new_flows {{
        type ipv4_addr; size 65535; flags dynamic,timeout; timeout 60s;
    }}
    chain refuse {{
        meta l4proto tcp reject with tcp reset
        reject with icmpx type admin-prohibited
    }}
    chain honest {{
        meta nfproto ipv6 drop
        fib saddr . iif oif missing drop
    }}
    chain few {{
        {brief}
        update @new_flows {{ ip saddr {rate} }} jump refuse
        add @flows {{ ip saddr ct count over {max} }} jump refuse
    }}
    chain to_host {{
        jump honest
        ct state established,related accept
        jump few
        {names}
        {ports}
        jump refuse
    }}
    chain to_sandbox {{
        ct state established,related accept
        iifname {sandboxes} jump refuse
        drop
    }}
    chain to_world {{
        jump honest
        ct state established,related accept
        jump few
        {names}
        ip daddr {{ {NOWHERE} }} jump refuse
        {private}
    }}
    chain input {{
        type filter hook input priority -10; policy accept;
        iifname {sandboxes} jump to_host
    }}
    chain forward {{
        type filter hook forward priority -10; policy accept;
        oifname {sandboxes} jump to_sandbox
        iifname {sandboxes} jump to_world
    }}
    chain postrouting {{
        type nat hook postrouting priority 100; policy accept;
        ip saddr {subnet}/15 oifname != {sandboxes} masquerade
    }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nat() -> Nat {
        let subnet = Ipv4Addr::new(10, 212, 0, 0);
        Nat {
            subnet,
            allow_host_ports: Vec::new(),
            allow_private: false,
        }
    }

    #[test]
    fn each_slot_has_a_net_of_its_own() {
        let at = |slot| addresses(&nat(), slot);
        assert_eq!(
            at(0),
            (Ipv4Addr::new(10, 212, 0, 1), Ipv4Addr::new(10, 212, 0, 2))
        );
        assert_eq!(
            at(64),
            (Ipv4Addr::new(10, 212, 1, 1), Ipv4Addr::new(10, 212, 1, 2))
        );
        let last = at(crate::config::SLOTS_MAX - 1);
        assert_eq!(
            last,
            (
                Ipv4Addr::new(10, 213, 255, 253),
                Ipv4Addr::new(10, 213, 255, 254)
            )
        );
    }

    #[test]
    fn a_stub_on_loopback_is_no_resolver_for_a_sandbox() {
        let text = "# comment\nnameserver 127.0.0.53\nnameserver 10.1.1.1\nnameserver ::1\n";
        assert_eq!(parse_resolvers(text), [Ipv4Addr::new(10, 1, 1, 1)]);
    }

    #[test]
    fn a_prefix_leaves_room_for_the_number() {
        assert_eq!(interface_prefix("some-tag").len(), 8);
        assert_ne!(interface_prefix("one"), interface_prefix("two"));
    }

    #[test]
    fn a_small_table_of_flows_is_shared_all_the_same() {
        assert_eq!(flows_max(Some(262_144)), 1_024);
        assert_eq!(flows_max(Some(32_768)), 512);
        assert_eq!(flows_max(Some(0)), 16);
        assert_eq!(flows_max(None), 1_024);
    }

    #[test]
    fn nothing_configured_means_nothing_let_in() {
        let flows = Flows {
            max: 99,
            timeouts: false,
        };
        let rules = rules("t", &nat(), &[], &flows);
        assert!(!rules.contains("dport"), "{rules}");
        assert!(rules.contains(PRIVATE), "{rules}");
        let open = Nat {
            allow_host_ports: vec![80, 443],
            allow_private: true,
            ..nat()
        };
        let rules = super::rules("t", &open, &[Ipv4Addr::new(10, 1, 1, 1)], &flows);
        assert!(rules.contains("tcp dport { 80, 443 } accept"), "{rules}");
        assert!(!rules.contains(PRIVATE), "{rules}");
    }
}
