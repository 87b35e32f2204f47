//! Network namespaces: each with its own loopback and, on it, the Runtime API's listening socket.
//!
//! A namespace has no name anywhere, it is a descriptor: when the last holder ends it disappears, even
//! if that was by SIGKILL. The owner accepts from outside what is connected inside, so no interface
//! pair and no address is needed for the Runtime API, only for a way out: see [`crate::nat`]. None is
//! ever used twice: its sockets and counters would reveal something about the previous sandbox.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::config::{self, Nat};
use crate::nat::{addresses, interface_prefix};
use crate::netlink::Netlink;
use crate::sys::namespaces;

/// Where Lambda's Runtime API is, inside. Runtimes read it from their environment, so it need not be
/// this port; published extensions have it hard-coded.
const RUNTIME_API_PORT: u16 = 9001;
/// The name of a sandbox's end of its way out, inside.
const INTERFACE: &str = "eth0";

/// A network namespace, ready.
pub(crate) struct Network {
    pub(crate) namespace: OwnedFd,
    pub(crate) listener: TcpListener,
    pub(crate) door: Option<TcpListener>,
    /// Says how many sockets there are in it.
    pub(crate) sockets: File,
}

/// Makes namespaces. Belongs to one thread, which enters and leaves them.
pub(crate) struct Maker {
    home: File,
    way_out: Option<WayOut>,
    /// See [`config::Config::door`].
    door: Option<u16>,
}

/// What is needed to connect a namespace with the host's.
struct WayOut {
    nat: Nat,
    /// The prefix of the host's interfaces.
    prefix: String,
    /// In the host's namespace.
    home: Netlink,
}

impl Maker {
    /// For the namespace that this thread is in.
    pub(crate) fn new(config: &config::Config) -> io::Result<Self> {
        let way_out = match &config.network {
            config::Network::None => None,
            config::Network::Nat(nat) => Some(WayOut {
                nat: nat.clone(),
                prefix: interface_prefix(&config.tag),
                home: Netlink::open()?,
            }),
        };
        Ok(Self {
            home: File::open("/proc/thread-self/ns/net")?,
            way_out,
            door: config.door,
        })
    }

    /// Makes the one of a slot. This thread is back in its own afterwards, otherwise it would keep the
    /// namespace alive.
    pub(crate) fn make(&self, slot: u32) -> io::Result<Network> {
        namespaces::unshare_network()?;
        let made = self.furnish(slot);
        namespaces::enter_network(self.home.as_fd())?;
        made
    }

    fn furnish(&self, slot: u32) -> io::Result<Network> {
        bound()?;
        namespaces::loopback_up()?;
        if let Some(way_out) = &self.way_out {
            way_out.connect(slot, self.home.as_fd())?;
        }
        let listener = listen(RUNTIME_API_PORT)?;
        let door = self.door.map(listen).transpose()?;
        let namespace = File::open("/proc/thread-self/ns/net")?.into();
        Ok(Network {
            namespace,
            listener,
            door,
            sockets: File::open("/proc/thread-self/net/sockstat")?,
        })
    }
}

/// Memory of the kernel for a namespace that is charged to nobody, and how little of it is enough. Most
/// of these have been a namespace's own for years, others not on each kernel.
const BOUNDS: &[(&str, &str)] = &[
    // Connections that wait to be accepted, for each listener.
    ("core/somaxconn", "256"),
    // What a socket may take in addition to its buffers, as it was for decades.
    ("core/optmem_max", "20480"),
    // The second number is what a connection that nobody has accepted buffers; its reader gets more.
    ("ipv4/tcp_rmem", "4096 32768 4194304"),
    // Closed connections whose late packets may still arrive.
    ("ipv4/tcp_max_tw_buckets", "4096"),
    // Fragments of packets whose other fragments have not arrived.
    ("ipv4/ipfrag_low_thresh", "196608"),
    ("ipv4/ipfrag_high_thresh", "262144"),
    // No neighbours by IPv6, for which the machine has one small table: the loopback keeps it.
    ("ipv6/conf/default/disable_ipv6", "1"),
];

/// Sets [`BOUNDS`] for the namespace that this thread is in.
fn bound() -> io::Result<()> {
    for (name, value) in BOUNDS {
        match fs::write(Path::new("/proc/sys/net").join(name), value) {
            // This kernel has it for the whole machine, or not at all.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
                ) => {}
            done => done?,
        }
    }
    Ok(())
}

/// On the loopback of the namespace that this thread is in.
fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl WayOut {
    /// Connects the namespace that this thread is in.
    fn connect(&self, slot: u32, home: BorrowedFd<'_>) -> io::Result<()> {
        let (host, sandbox) = addresses(&self.nat, slot);
        let name = format!("{}{slot}", self.prefix);
        let inside = Netlink::open()?;
        match inside.add_pair(INTERFACE, &name, home) {
            // From a server that was killed: the kernel removes its namespaces over time, and the slot
            // is ours now.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // It may disappear by itself at this moment.
                let _ = self.home.remove(&name);
                inside.add_pair(INTERFACE, &name, home)?;
            }
            added => added?,
        }
        self.home.configure(self.home.index(&name)?, host)?;
        let index = inside.index(INTERFACE)?;
        inside.configure(index, sandbox)?;
        inside.default_route(index, host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_server_left_at_a_slot_is_in_nobodys_way() {
        // In a thread of its own, in namespaces that end with it. Needs root, as sandboxes do.
        let tried = std::thread::spawn(|| -> io::Result<()> {
            namespaces::unshare_network()?;
            let maker = Maker {
                home: File::open("/proc/thread-self/ns/net")?,
                way_out: Some(WayOut {
                    nat: Nat {
                        subnet: Ipv4Addr::new(10, 212, 0, 0),
                        allow_host_ports: Vec::new(),
                        allow_private: false,
                    },
                    prefix: "lmb-left-".to_owned(),
                    home: Netlink::open()?,
                }),
                door: None,
            };
            let left = maker.make(1)?;
            let again = maker.make(1)?;
            drop((left, again));
            Ok(())
        });
        tried.join().unwrap().unwrap();
    }
}
