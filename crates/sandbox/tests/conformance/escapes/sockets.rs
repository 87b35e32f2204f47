//! Attempts to reach somebody: by sockets of every kind, and from one sandbox to another.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::{PRELUDE, all_refused, attempt, still_works};
use crate::host::{Host, TestResult, expect, shell, start};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    raw_and_strange_sockets,
    reaching_the_hosts_sockets,
    reaching_another_sandbox,
];

async fn raw_and_strange_sockets(host: &Host) -> TestResult {
    let attempts = [
        "attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)",
        "attempt(socket.socket, socket.AF_INET6, socket.SOCK_RAW, 58)",
        "attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 768)",
        "attempt(socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, 768)",
        "attempt(socket.socket, socket.AF_INET, 10, 768)",
        "attempt(socket.socket, socket.AF_INET, socket.SOCK_DGRAM, 1)",
        "attempt(socket.socket, socket.AF_INET, socket.SOCK_STREAM, 132)",
        "attempt(socket.socket, socket.AF_INET6, socket.SOCK_STREAM, 262)",
        "attempt(socket.socketpair, socket.AF_INET)",
        "attempt(socket.socketpair, 30, socket.SOCK_SEQPACKET)",
        "attempt(socket.socketpair, 40)",
        "attempt(socket.socket, 38, socket.SOCK_SEQPACKET, 0)",
        "attempt(socket.socket, 40, socket.SOCK_STREAM, 0)",
        "attempt(socket.socket, 44, socket.SOCK_RAW, 0)",
    ];
    all_refused(host, &attempts, &["EPERM"]).await?;
    let netlink = [4, 9, 12].map(|protocol| {
        format!("attempt(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, {protocol})")
    });
    let netlink: Vec<&str> = netlink.iter().map(String::as_str).collect();
    all_refused(host, &netlink, &["EPERM"]).await
}

async fn reaching_the_hosts_sockets(host: &Host) -> TestResult {
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let name = format!("sandbox-test-{}", std::process::id());
    let unix = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    let port = tcp.local_addr()?.port();
    let attempts = [
        format!("attempt(socket.socket().connect, ('127.0.0.1', {port}))"),
        format!("attempt(socket.socket(socket.AF_INET6).connect, ('::1', {port}))"),
        format!("attempt(socket.socket(socket.AF_UNIX).connect, '\\0{name}')"),
        "attempt(socket.socket().connect, ('169.254.169.254', 80))".to_owned(),
        "attempt(socket.socket().connect, ('192.0.2.1', 80))".to_owned(),
    ];
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    all_refused(host, &attempts, &["ECONNREFUSED", "ENETUNREACH"]).await?;
    tcp.set_nonblocking(true)?;
    unix.set_nonblocking(true)?;
    expect(
        tcp.accept().is_err() && unix.accept().is_err(),
        "somebody got through",
    )
}

async fn reaching_another_sandbox(host: &Host) -> TestResult {
    let (one, other) = (host.sandbox().await?, host.sandbox().await?);
    shell(&one, "echo mine > /tmp/secret; chmod 777 /tmp/secret").await?;
    let keep = format!(
        "
s = socket.socket(socket.AF_UNIX); s.bind('\\0shared'); s.listen()
t = socket.socket(); t.bind(('127.0.0.1', 4567)); t.listen()
print(call({}, 42, 4096, 0o1666), flush=True)
import time; time.sleep(1000)",
        libc::SYS_shmget
    );
    let serving = start(
        &one,
        &["/usr/bin/python3", "-I", "-c", &format!("{PRELUDE}{keep}")],
    )
    .await?;
    serving.says("ok").await?;
    let program = format!(
        "
print(attempt(open, '/tmp/secret'), len(os.listdir('/tmp')))
print(attempt(socket.socket(socket.AF_UNIX).connect, '\\0shared'))
print(attempt(socket.socket().connect, ('127.0.0.1', 4567)))
print(call({}, 42, 4096, 0))",
        libc::SYS_shmget
    );
    let answers = attempt(&other, &program).await?;
    let expected = ["ENOENT", "0", "ECONNREFUSED", "ECONNREFUSED", "ENOENT"];
    expect(answers == expected, format!("{answers:?}"))?;
    // From within it all is there, so the attempts were not in vain.
    let answers = attempt(&one, &program).await?;
    expect(
        answers == ["ok", "1", "ok", "ok", "ok"],
        format!("{answers:?}"),
    )?;
    one.destroy().await;
    drop(serving);
    still_works(&other).await
}
