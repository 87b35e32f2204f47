//! Outbound network: what it reaches and what it must not. The internet is a network namespace of the test.
//!
//! ```text
//!   sandbox ══ host ══ world: 198.51.100.x (public), 10.100.x.1 (private), 169.254.169.254
//! ```
//!
//! Passed over, with a word, where the `ip` or `nft` command is missing.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use sandbox::{Config, Engine as _, Instance, Nat, Network, ProcessEngine, sweep};

use crate::host::{Host, TestResult, expect, python, shell, start, until};
use crate::leftovers::{processes_of, start_owner};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    the_world_is_reached,
    what_is_not_the_world_is_refused,
    a_port_of_the_host_can_be_allowed,
    flows_of_one_sandbox_are_bounded,
    there_is_no_neighbour_by_ipv6,
    names_are_resolved_as_the_host_does,
    a_sudden_death_leaves_rules_that_sweeping_removes,
];

/// The second engine, whose sandboxes have a way out.
pub(crate) struct Egress {
    config: Config,
    engine: Option<Arc<ProcessEngine>>,
    allowed: TcpListener,
    refused: TcpListener,
    world: World,
}

/// How a copy of this program is told from another that runs at the same time.
fn copy() -> u32 {
    std::process::id() % 60
}

/// The network with which an engine has a way out, `other` telling two in one program apart.
pub(crate) fn nat(other: bool, allow_host_ports: Vec<u16>) -> Network {
    let second = 4 * copy() as u8 + if other { 2 } else { 0 };
    let subnet = Ipv4Addr::new(11, second, 0, 0);
    Network::Nat(Nat {
        subnet,
        allow_host_ports,
        allow_private: false,
    })
}

impl Egress {
    /// Makes the world. `None` where the commands for it are missing: then the cases about it fail.
    pub(crate) fn prepare(config: &Config) -> TestResult<Option<Self>> {
        let has = |command: &str| Command::new(command).arg("-V").output().is_ok();
        if !has("ip") || !has("nft") {
            return Ok(None);
        }
        let allowed = TcpListener::bind("0.0.0.0:0")?;
        let config = Config {
            tag: format!("{}-out", config.tag),
            first_uid: config.first_uid + 70_000,
            network: nat(false, vec![allowed.local_addr()?.port()]),
            ..config.clone()
        };
        let refused = TcpListener::bind("0.0.0.0:0")?;
        let world = World::make()?;
        Ok(Some(Self {
            config,
            engine: None,
            allowed,
            refused,
            world,
        }))
    }

    pub(crate) async fn start(&mut self) -> TestResult {
        self.engine = Some(ProcessEngine::start(self.config.clone()).await?);
        Ok(())
    }

    pub(crate) async fn finish(&self) {
        if let Some(engine) = &self.engine {
            engine.shutdown().await;
        }
    }

    async fn sandbox(&self) -> TestResult<Arc<dyn Instance>> {
        let engine = self.engine.as_ref().ok_or("not started")?;
        Ok(engine.create(Host::spec_in(&self.config, "out")).await?)
    }
}

/// A network namespace that is neither the host's nor a sandbox's, and a server in it.
struct World {
    name: String,
    public: Ipv4Addr,
    hosts_end: Ipv4Addr,
    private: Ipv4Addr,
    server: Child,
}

/// Tells each client by which address it came.
const SERVER: &str = "
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('0.0.0.0', 8000)); s.listen(); print('up', flush=True)
while True:
    c, a = s.accept(); c.sendall(a[0].encode()); c.close()";

impl World {
    fn make() -> TestResult<Self> {
        let name = format!("world{}", std::process::id());
        let end = format!("w{}", std::process::id());
        let net = 4 * copy() as u8;
        let (hosts_end, public) = (
            Ipv4Addr::new(198, 51, 100, net + 1),
            Ipv4Addr::new(198, 51, 100, net + 2),
        );
        let private = Ipv4Addr::new(10, 100, copy() as u8, 1);
        for line in [
            format!("netns add {name}"),
            format!("link add {end} type veth peer name eth0 netns {name}"),
            format!("address add {hosts_end}/30 dev {end}"),
            format!("link set {end} up"),
            format!("-n {name} link set lo up"),
            format!("-n {name} link set eth0 up"),
            format!("-n {name} address add {public}/30 dev eth0"),
            format!("-n {name} address add {private}/32 dev lo"),
            format!("-n {name} address add 169.254.169.254/32 dev lo"),
            format!("route add {private} via {public}"),
            format!("route replace 169.254.169.254 via {public}"),
        ] {
            let done = Command::new("ip").args(line.split(' ')).output()?;
            let said = String::from_utf8_lossy(&done.stderr);
            expect(done.status.success(), format!("ip {line}: {said}"))?;
        }
        let mut server = Command::new("ip")
            .args(["netns", "exec", &name, "/usr/bin/python3", "-c", SERVER])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self {
            name,
            public,
            hosts_end,
            private,
            server,
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        // The pair and the routes over it go with the namespace.
        let _ = Command::new("ip")
            .args(["netns", "delete", &self.name])
            .output();
    }
}

/// A program that connects to each address and prints what it heard, or the error's name.
fn connect(addresses: &[String]) -> String {
    format!(
        "
import errno, socket
for address in {addresses:?}:
    host, port = address.split('/')
    try:
        s = socket.create_connection((host, int(port)), 3)
        print(s.recv(99).decode() or 'ok')
    except TimeoutError:
        print('timeout')
    except OSError as error:
        print(errno.errorcode[error.errno])"
    )
}

async fn the_world_is_reached(host: &Host) -> TestResult {
    let egress = host.egress()?;
    let sandbox = egress.sandbox().await?;
    let ended = python(
        &sandbox,
        &connect(&[format!("{}/8000", egress.world.public)]),
    )
    .await?;
    // It came by the host's address, not by its own.
    expect(
        ended.output.trim() == egress.world.hosts_end.to_string(),
        format!("{ended:?}"),
    )?;
    let ended = shell(
        &sandbox,
        "cat /proc/net/if_inet6 /proc/net/dev | grep -c eth0",
    )
    .await?;
    expect(ended.output.trim() != "0", "it has an interface")?;
    sandbox.destroy().await;
    Ok(())
}

async fn what_is_not_the_world_is_refused(host: &Host) -> TestResult {
    let egress = host.egress()?;
    let (one, other) = (egress.sandbox().await?, egress.sandbox().await?);
    let serve = format!("{SERVER}\n");
    let serving = start(&other, &["/usr/bin/python3", "-c", &serve]).await?;
    let own = "
import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('198.51.100.2', 9)); print(s.getsockname()[0])";
    let others_address = python(&other, own).await?.output.trim().to_owned();
    serving.says("up").await?;
    let within = python(&other, &connect(&[format!("{others_address}/8000")])).await?;
    let served = within.output.trim() == others_address;
    expect(served, format!("{within:?}"))?;
    let own_address: Ipv4Addr = python(&one, own).await?.output.trim().parse()?;
    let gateway = Ipv4Addr::from_bits(own_address.to_bits() - 1);
    let port = egress.refused.local_addr()?.port();
    let addresses = [
        format!("{gateway}/{port}"),
        format!("{}/{port}", egress.world.hosts_end),
        format!("127.0.0.1/{port}"),
        format!("{others_address}/8000"),
        format!("{}/8000", egress.world.private),
        "169.254.169.254/8000".to_owned(),
    ];
    let ended = python(&one, &connect(&addresses)).await?;
    let answers: Vec<&str> = ended.output.lines().collect();
    expect(answers == ["ECONNREFUSED"; 6], format!("{ended:?}"))?;
    let datagrams = format!(
        "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('{own_address}', 0))
try: s.bind(('{gateway}', 0))
except OSError: print('bound once')
print(socket.has_ipv6 and any('eth0' in l and not l.startswith('fe80') for l in open('/proc/net/if_inet6')))"
    );
    let ended = python(&one, &datagrams).await?;
    expect(ended.output == "bound once\nFalse\n", format!("{ended:?}"))?;
    egress.refused.set_nonblocking(true)?;
    expect(egress.refused.accept().is_err(), "somebody got through")?;
    one.destroy().await;
    other.destroy().await;
    drop(serving);
    Ok(())
}

async fn a_port_of_the_host_can_be_allowed(host: &Host) -> TestResult {
    let egress = host.egress()?;
    let sandbox = egress.sandbox().await?;
    let port = egress.allowed.local_addr()?.port();
    let listener = egress.allowed.try_clone()?;
    let accepting = tokio::task::spawn_blocking(move || listener.accept().map(drop));
    let address = format!("{}/{port}", egress.world.hosts_end);
    let ended = python(&sandbox, &connect(&[address])).await?;
    expect(ended.output == "ok\n", format!("{ended:?}"))?;
    accepting.await??;
    sandbox.destroy().await;
    Ok(())
}

async fn names_are_resolved_as_the_host_does(host: &Host) -> TestResult {
    let egress = host.egress()?;
    let sandbox = egress.sandbox().await?;
    let shown = shell(&sandbox, "cat /etc/resolv.conf").await?.output;
    let hosts = fs::read_to_string("/etc/resolv.conf")?;
    for line in shown.lines() {
        expect(
            line.starts_with("nameserver ") && !line.contains(" 127."),
            &shown,
        )?;
    }
    for line in hosts.lines().filter(|line| line.starts_with("nameserver ")) {
        let reachable = !line.contains(" 127.") && !line.contains("::");
        expect(
            !reachable || shown.contains(line),
            format!("{shown:?} lacks {line}"),
        )?;
    }
    sandbox.destroy().await;
    // Without a way out there is nobody to ask.
    let sandbox = host.sandbox().await?;
    let shown = shell(&sandbox, "cat /etc/resolv.conf").await?.output;
    expect(shown.is_empty(), shown)?;
    sandbox.destroy().await;
    Ok(())
}

async fn a_sudden_death_leaves_rules_that_sweeping_removes(host: &Host) -> TestResult {
    host.egress()?;
    let tag = format!("killed-out-{}", std::process::id());
    let rules = || -> TestResult<bool> {
        let table = format!("lambent-{tag}");
        let listed = Command::new("nft")
            .args(["list", "table", "inet", &table])
            .output()?;
        Ok(listed.status.success())
    };
    let (mut owner, first_uid) = start_owner(&tag, "out")?;
    expect(rules()?, "rules while it lives")?;
    owner.kill()?;
    owner.wait()?;
    until("its processes are gone", || {
        processes_of(first_uid).is_empty()
    })
    .await?;
    expect(rules()?, "rules remain")?;
    sweep(&tag)?;
    expect(!rules()?, "rules are removed")?;
    sweep(&tag)?;
    Ok(())
}

async fn flows_of_one_sandbox_are_bounded(host: &Host) -> TestResult {
    let egress = host.egress()?;
    let engine = egress.engine.as_ref().ok_or("not started")?;
    let mut spec = Host::spec_in(&egress.config, "many-flows");
    spec.open_files_max = 4_096;
    let (greedy, other) = (engine.create(spec).await?, egress.sandbox().await?);
    // The world answers none of these: it says that nobody listens.
    let program = format!(
        "
import errno, socket, time
refused = 0
made = []
for i in range(2000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(('{}', 9))
    try: s.send(b'x')
    except OSError as error: refused += error.errno in (errno.EHOSTUNREACH, errno.EACCES, errno.EPERM)
    made.append(s)
time.sleep(0.1)
for s in made:
    s.setblocking(False)
    try: s.recv(1)
    except OSError as error: refused += error.errno in (errno.EHOSTUNREACH, errno.EACCES, errno.EPERM)
print(refused)",
        egress.world.public
    );
    let ended = python(&greedy, &program).await?;
    let refused: u32 = ended.output.trim().parse().unwrap_or(0);
    // Some are refused silently: the kernel limits how many refusals it sends a second.
    expect(refused > 0, format!("{ended:?}"))?;
    let address = format!("{}/8000", egress.world.public);
    let ended = python(&greedy, &connect(std::slice::from_ref(&address))).await?;
    expect(ended.output == "ECONNREFUSED\n", format!("{ended:?}"))?;
    let ended = python(&other, &connect(&[address])).await?;
    expect(
        ended.output.trim() == egress.world.hosts_end.to_string(),
        format!("another one is kept out: {ended:?}"),
    )?;
    greedy.destroy().await;
    other.destroy().await;
    Ok(())
}

async fn there_is_no_neighbour_by_ipv6(host: &Host) -> TestResult {
    let egress = host.egress()?;
    let sandbox = egress.sandbox().await?;
    let ended = shell(
        &sandbox,
        "grep -c eth0 /proc/net/if_inet6; grep -c ' lo' /proc/net/if_inet6",
    )
    .await?;
    expect(ended.output == "0\n1\n", format!("{ended:?}"))?;
    sandbox.destroy().await;
    Ok(())
}
