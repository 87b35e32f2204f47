//! Availability zones: each a network namespace, and a pair of interfaces to the street that joins them.
//!
//! Made by `ip` of iproute2: it is the operator's own tool, and takes no place in a server.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Where the street ends that the load comes from, of the networks for tests of networks (RFC 2544).
pub(super) const STREET: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 254);

/// An availability zone: `a`, `b`, `c`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Zone(u8);

impl Zone {
    /// The first `count`.
    pub(super) fn first(count: u8) -> Vec<Self> {
        (0..count).map(Self).collect()
    }

    pub(super) fn name(self) -> String {
        char::from(b'a' + self.0).to_string()
    }

    pub(super) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, 0, self.0 + 1)
    }

    /// The name of its namespace, for `ip`.
    fn namespace(self) -> String {
        format!("zone-{}", self.name())
    }

    /// What a command begins with that runs in it.
    pub(super) fn enter(self) -> Vec<String> {
        let namespace = format!("--net=/run/netns/{}", self.namespace());
        vec!["nsenter".to_owned(), namespace, "--".to_owned()]
    }
}

/// Makes them. This process is in a mount namespace and a network namespace of its own.
pub(super) fn make(zones: &[Zone], delay_ms: u32) -> anyhow::Result<()> {
    for line in street().into_iter().chain(joined(zones)) {
        run(&line)?;
    }
    for line in delayed(zones, delay_ms) {
        run(&line).context("--delay-ms: has this kernel netem (sch_netem)?")?;
    }
    Ok(())
}

/// The bridge, and the place for the names of namespaces: in a file system of our own.
fn street() -> Vec<String> {
    vec![
        "mount -t tmpfs -o mode=755 tmpfs /run".to_owned(),
        "ip link set lo up".to_owned(),
        "ip link add street type bridge".to_owned(),
        format!("ip addr add {STREET}/24 dev street"),
        "ip link set street up".to_owned(),
    ]
}

fn joined(zones: &[Zone]) -> Vec<String> {
    let each = zones.iter().flat_map(|zone| {
        let (namespace, address) = (zone.namespace(), zone.address());
        [
            format!("ip netns add {namespace}"),
            format!("ip link add {namespace} type veth peer name eth0 netns {namespace}"),
            format!("ip link set {namespace} master street up"),
            format!("ip -n {namespace} link set lo up"),
            format!("ip -n {namespace} addr add {address}/24 dev eth0"),
            format!("ip -n {namespace} link set eth0 up"),
        ]
    });
    each.collect()
}

/// Whatever enters a zone waits for half of the round trip.
fn delayed(zones: &[Zone], delay_ms: u32) -> Vec<String> {
    let zones = zones.iter().filter(|_| delay_ms > 0);
    let each = zones.map(|zone| {
        let (namespace, half_us) = (zone.namespace(), delay_ms * 500);
        format!("tc qdisc add dev {namespace} root netem delay {half_us}us limit 100000")
    });
    each.collect()
}

fn run(line: &str) -> anyhow::Result<()> {
    let mut words = line.split(' ');
    let done = Command::new(words.next().unwrap_or_default())
        .args(words)
        .stdin(Stdio::null())
        .output();
    let done = done.with_context(|| format!("`{line}` cannot be started"))?;
    if !done.status.success() {
        let told = String::from_utf8_lossy(&done.stderr);
        bail!("`{line}` has failed: {}", told.trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names_and_addresses() {
        let zones = Zone::first(3);
        let names: Vec<String> = zones.iter().map(|zone| zone.name()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(zones[2].address().to_string(), "198.18.0.3");
        assert_eq!(zones[1].enter()[1], "--net=/run/netns/zone-b");
    }

    #[test]
    fn half_of_the_round_trip_is_at_each_zones_door() {
        assert!(delayed(&Zone::first(3), 0).is_empty());
        let lines = delayed(&Zone::first(1), 3);
        assert_eq!(
            lines,
            ["tc qdisc add dev zone-a root netem delay 1500us limit 100000"]
        );
    }
}
