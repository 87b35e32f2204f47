//! Making a sandbox, starting processes in it, and its end.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream as _;
use sandbox::{Error, Exit, Listener, Signal};

use crate::host::{DOOR, Host, TestResult, expect, run, shell, start, start_in};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    a_program_runs_as_the_functions_user,
    its_folders_are_there,
    exit_statuses_are_told,
    signals_are_delivered,
    a_program_that_cannot_be_executed_is_told_apart,
    a_port_inside_is_reached_and_one_outside_is_not,
    what_is_said_at_the_door_is_heard_by_the_owner,
];

async fn a_program_runs_as_the_functions_user(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let ended = shell(
        &sandbox,
        "id; hostname; pwd; cat /proc/self/cgroup; ls -d /proc/[0-9]*",
    )
    .await?;
    expect(
        ended.output.contains("uid=993(sbx_user1051) gid=990"),
        &ended.output,
    )?;
    expect(
        ended.output.contains("\nsandbox\n/var/task\n"),
        &ended.output,
    )?;
    expect(!ended.output.contains("lambent"), &ended.output)?;
    expect(!ended.output.contains("/proc/1\n"), &ended.output)?;
    sandbox.destroy().await;
    Ok(())
}

async fn its_folders_are_there(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let script = "cat /var/task/code.txt /opt/layer.txt /var/runtime/bootstrap.txt; ls -a /";
    let ended = shell(&sandbox, script).await?;
    expect(ended.exit == Exit::Status(0), format!("{ended:?}"))?;
    expect(
        ended
            .output
            .starts_with("the function's code\na layer\na runtime\n"),
        &ended.output,
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn exit_statuses_are_told(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    expect(
        shell(&sandbox, "exit 0").await?.exit == Exit::Status(0),
        "0",
    )?;
    expect(
        shell(&sandbox, "exit 17").await?.exit == Exit::Status(17),
        "17",
    )?;
    expect(
        shell(&sandbox, "kill -SEGV $$").await?.exit == Exit::Signal(11),
        "signal 11",
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn signals_are_delivered(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let script = "trap 'echo tidied; exit 3' TERM; echo up; while :; do sleep 0.01; done";
    let running = start(&sandbox, &["/bin/sh", "-c", script]).await?;
    let id = running.started.id;
    running.says("up").await?;
    sandbox.signal(id, Signal::Terminate).await?;
    let ended = running.end().await?;
    expect(
        ended.exit == Exit::Status(3) && ended.output == "up\ntidied\n",
        format!("{ended:?}"),
    )?;
    let gone = sandbox.signal(id, Signal::Terminate).await;
    expect(
        matches!(gone, Err(Error::NoSuchProcess)),
        format!("{gone:?}"),
    )?;
    let running = start(&sandbox, &["/bin/sleep", "100"]).await?;
    sandbox.signal(running.started.id, Signal::Kill).await?;
    expect(running.end().await?.exit == Exit::Signal(9), "killed")?;
    let other = sandbox.signal(1, Signal::Kill).await;
    expect(
        matches!(other, Err(Error::NoSuchProcess)),
        "init is not a started process",
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn a_program_that_cannot_be_executed_is_told_apart(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    for (program, expected) in [
        ("/var/task/absent", libc::ENOENT),
        ("/var/task/code.txt", libc::EACCES),
        ("/var/task/not-a-program", libc::ENOEXEC),
        ("/var/task", libc::EACCES),
    ] {
        match start(&sandbox, &[program]).await {
            Err(Error::Exec { path, errno }) => {
                expect(
                    path == program && errno == expected,
                    format!("{path}: {errno}"),
                )?;
            }
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(format!("{program} was started").into()),
        }
    }
    let nowhere = start_in(&sandbox, &["/bin/true"], "/nowhere").await;
    let told = matches!(
        nowhere,
        Err(Error::Directory {
            errno: libc::ENOENT,
            ..
        })
    );
    expect(told, "a missing working directory")?;
    expect(
        run(&sandbox, &["/bin/true"]).await?.exit == Exit::Status(0),
        "it still works",
    )?;
    sandbox.destroy().await;
    Ok(())
}

/// Whether somebody has come.
async fn is_reached(mut listener: Listener) -> bool {
    let next = poll_fn(|context| Pin::new(&mut listener).poll_next(context));
    matches!(next.await, Some(Ok(_)))
}

async fn what_is_said_at_the_door_is_heard_by_the_owner(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let door = sandbox.take_door()?.ok_or("it has no door")?;
    expect(sandbox.take_door()?.is_none(), "it was taken twice")?;
    drop(sandbox.connect(DOOR).await?);
    expect(is_reached(door).await, "nobody came")?;
    sandbox.destroy().await;
    Ok(())
}

async fn a_port_inside_is_reached_and_one_outside_is_not(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    // The Runtime API's own socket is the one thing that certainly listens inside.
    let listener = sandbox.take_listener()?.ok_or("it has no listener")?;
    let Listener::Tcp(tcp) = &listener else {
        return Err("processes speak by TCP".into());
    };
    let port = tcp.local_addr()?.port();
    drop(sandbox.connect(port).await?);
    expect(is_reached(listener).await, "it was not reached")?;
    let outside = std::net::TcpListener::bind("127.0.0.1:0")?;
    let refused = sandbox.connect(outside.local_addr()?.port()).await;
    expect(refused.is_err(), "the host's loopback was reached")?;
    sandbox.destroy().await;
    let gone = sandbox.connect(port).await;
    expect(gone.is_err(), "a sandbox that is gone was reached")?;
    Ok(())
}
