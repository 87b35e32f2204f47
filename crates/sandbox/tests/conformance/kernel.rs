//! What the kernel keeps for a function that no limit of memory counts: each attempt takes as much as it
//! can get, and ends at a bound.

use std::time::Duration;

use sandbox::Engine as _;

use crate::host::{Host, MB, TestResult, expect, python, shell, start};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    interfaces_can_be_listed,
    routing_sockets_are_few_at_once,
    routing_sockets_of_many_processes_are_few,
    datagrams_that_nobody_reads_are_bounded,
    connections_that_nobody_accepts_are_bounded,
    all_together_leave_the_machine_its_part,
    what_all_use_is_told,
];

async fn interfaces_can_be_listed(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    // The first process waited for its program, later ones are forked for theirs.
    for _ in 0..2 {
        let ended = python(
            &sandbox,
            "import socket; print(socket.if_nameindex()[0])\nfor _ in range(50): socket.getaddrinfo('localhost', 80)",
        )
        .await?;
        expect(ended.output == "(1, 'lo')\n", format!("{ended:?}"))?;
    }
    sandbox.destroy().await;
    Ok(())
}

const ROUTING: &str = "
import errno, os, socket, sys
def routing(): return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
def take(most):
    taken = []
    try:
        while len(taken) < most: taken.append(routing())
        return taken, 'ok'
    except OSError as error:
        return taken, errno.errorcode[error.errno]
";

async fn routing_sockets_are_few_at_once(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let program = "
for _ in range(3):
    taken, why = take(100)
    print(len(taken), why)
    for s in taken: s.close()
s = routing()
print(os.get_inheritable(s.fileno()), s.family.name)
was = s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == was)";
    let ended = python(&sandbox, &format!("{ROUTING}{program}")).await?;
    let expected = "16 ENOBUFS\n16 ENOBUFS\n16 ENOBUFS\nFalse AF_NETLINK\nTrue\n";
    expect(ended.output == expected, format!("{ended:?}"))?;
    // What it had is gone with it.
    let ended = python(&sandbox, &format!("{ROUTING}print(len(take(3)[0]))")).await?;
    expect(ended.output == "3\n", format!("{ended:?}"))?;
    sandbox.destroy().await;
    Ok(())
}

async fn routing_sockets_of_many_processes_are_few(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let program = "
import time
parents, ours = os.pipe()
for _ in range(20):
    if os.fork() == 0:
        taken, why = take(100)
        os.write(ours, b'%d\\n' % len(taken))
        time.sleep(1000)
os.close(ours)
told = b''
while told.count(b'\\n') < 20: told += os.read(parents, 100)
print(sum(map(int, told.split())), flush=True)
time.sleep(1000)";
    let program = format!("{ROUTING}{program}");
    let running = start(&sandbox, &["/usr/bin/python3", "-I", "-c", &program]).await?;
    running.says("16\n").await?;
    // Many that ask in vain hold nobody up.
    let begin = std::time::Instant::now();
    sandbox.kill_all().await?;
    expect(
        begin.elapsed() < Duration::from_secs(5),
        "init is held up by those who ask",
    )?;
    drop(running.end().await?);
    let ended = python(&sandbox, &format!("{ROUTING}print(len(take(3)[0]))")).await?;
    expect(ended.output == "3\n", format!("{ended:?}"))?;
    sandbox.destroy().await;
    Ok(())
}

async fn datagrams_that_nobody_reads_are_bounded(host: &Host) -> TestResult {
    let mut spec = host.spec();
    // Sockets are charged with a quarter of the memory at most, 32 MB; each can hold 200 KB.
    (spec.memory_bytes, spec.open_files_max) = (128 * MB, 1_024);
    let sandbox = host.engine().create(spec).await?;
    let program = "
import socket
receivers = []
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(1000):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(('127.0.0.1', 0))
    receiver.setblocking(False)
    receivers.append(receiver)
    for _ in range(8):
        try: sender.sendto(bytes(32000), receiver.getsockname())
        except OSError: pass
held = 0
for receiver in receivers:
    try:
        while True: held += len(receiver.recv(65536))
    except BlockingIOError: pass
print(held >> 20)";
    let ended = python(&sandbox, program).await?;
    let held: u64 = ended.output.trim().parse().unwrap_or(u64::MAX);
    expect((1..=33).contains(&held), format!("{ended:?}"))?;
    expect(!*sandbox.out_of_memory().borrow(), "not out of memory")?;
    sandbox.destroy().await;
    Ok(())
}

async fn connections_that_nobody_accepts_are_bounded(host: &Host) -> TestResult {
    let mut spec = host.spec();
    (spec.memory_bytes, spec.open_files_max) = (256 * MB, 1_024);
    let sandbox = host.engine().create(spec).await?;
    let program = "
import socket, time
listeners = []
for _ in range(100):
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(100000)
    listeners.append(listener)
print('begun', flush=True)
made = 0
for listener in listeners:
    for _ in range(200):
        s = socket.socket()
        s.settimeout(5)
        s.connect(listener.getsockname())
        s.setblocking(False)
        try: s.send(bytes(1 << 18))
        except BlockingIOError: pass
        s.close()
        made += 1
print('made', made, flush=True)
time.sleep(1000)";
    let before = available()?;
    let running = start(&sandbox, &["/usr/bin/python3", "-I", "-c", program]).await?;
    running.says("begun").await?;
    let mut out_of_memory = sandbox.out_of_memory();
    let waited = out_of_memory.wait_for(|out| *out);
    tokio::time::timeout(Duration::from_secs(30), waited).await??;
    let taken = before.saturating_sub(available()?);
    // Other work on the machine comes and goes meanwhile.
    expect(taken < 500 * MB, format!("{} MB taken", taken / MB))?;
    let ended = running.end().await?;
    expect(!ended.output.contains("made"), format!("{ended:?}"))?;
    sandbox.kill_all().await?;
    let ended = shell(&sandbox, "echo works").await?;
    expect(ended.output == "works\n", format!("{ended:?}"))?;
    sandbox.destroy().await;
    Ok(())
}

/// The number in a file of the group of all sandboxes, wherever that is.
fn of_all(host: &Host, file: &str) -> TestResult<u64> {
    let name = format!("lambent-{}", host.config.tag);
    let mut folders = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        let found = folder.join(&name).join(file);
        if found.exists() {
            return Ok(std::fs::read_to_string(found)?.trim().parse()?);
        }
        if folder.components().count() < 6 {
            let entries = std::fs::read_dir(folder)?.flatten();
            folders.extend(
                entries
                    .map(|entry| entry.path())
                    .filter(|path| path.is_dir()),
            );
        }
    }
    Err(format!("no {file} of all sandboxes").into())
}

async fn all_together_leave_the_machine_its_part(host: &Host) -> TestResult {
    let number =
        |file: &str| -> TestResult<u64> { Ok(std::fs::read_to_string(file)?.trim().parse()?) };
    let numbers = number("/proc/sys/kernel/pid_max")?.min(number("/proc/sys/kernel/threads-max")?);
    let processes = of_all(host, "pids.max")?;
    expect(
        processes == numbers / 2,
        format!("{processes} of {numbers}"),
    )?;
    let memory = of_all(host, "memory.limit_in_bytes").or_else(|_| of_all(host, "memory.max"))?;
    let configured = host.config.memory_bytes;
    expect(memory == configured, format!("{memory} of {configured}"))
}

async fn what_all_use_is_told(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let before = host.engine().load()?;
    let script = "dd if=/dev/zero of=/tmp/full bs=1M count=50 2>/dev/null; sleep 1000 & sleep 1000 & echo up; wait";
    let running = start(&sandbox, &["/bin/sh", "-c", script]).await?;
    running.says("up").await?;
    let load = host.engine().load()?;
    let more = load.memory_used.saturating_sub(before.memory_used);
    // Pooled ones come and go meanwhile.
    expect(
        (40 * MB..90 * MB).contains(&more),
        format!("{before:?} {load:?}"),
    )?;
    expect(
        load.memory_total > load.memory_available,
        format!("{load:?}"),
    )?;
    let usage = sandbox.usage();
    let good = (50 * MB..70 * MB).contains(&usage.memory) && usage.processes == 3;
    expect(good, format!("{usage:?}"))?;
    let dead = sandbox.dead();
    let out_of_memory = sandbox.out_of_memory();
    sandbox.exhaust().await;
    expect(
        *dead.borrow() && *out_of_memory.borrow(),
        "it has ended, and why is told",
    )?;
    drop(running.end().await?);
    Ok(())
}

/// What the machine has left, bytes.
fn available() -> TestResult<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.ok_or("no MemAvailable")?.parse::<u64>()? << 10)
}
