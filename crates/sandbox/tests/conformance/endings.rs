//! Slow endings: killed processes free their resources before they are gone.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use sandbox::{Engine as _, Error, Exit, Instance, Lingering};

use crate::host::{Host, MB, TestResult, expect, python, shell, signal, start, until};
use crate::leftovers::{cgroups_of, init_of};
use crate::spawners::told;
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    many_killed_processes_with_a_small_share_are_soon_gone,
    killing_all_is_soon_done_and_the_share_is_in_force_after_it,
    what_does_not_end_is_told_to_be_dead_and_its_room_is_kept_until_it_has,
];

/// Killed with the share below, these take ten seconds to give back their descriptors and page tables.
const SLOW_TO_DIE: &str = "
import mmap, os, time
files = [os.open('/dev/null', os.O_RDONLY) for _ in range(900)]
room = mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
room.madvise(mmap.MADV_NOHUGEPAGE)
for _ in range(300):
    if not os.fork():
        for place in range(0, 64 << 20, 2 << 20):
            room[place] = 1
        time.sleep(1000)
print('up', flush=True)
time.sleep(1000)
";
/// Of a processor, thousandths: the kernel's least.
const SMALL_SHARE: u32 = 10;

async fn dying_slowly(host: &Host) -> TestResult<Arc<dyn Instance>> {
    let mut spec = host.spec();
    spec.memory_bytes = 512 * MB;
    spec.processes_max = 600;
    spec.open_files_max = 1_024;
    let sandbox = host.engine().create(spec).await?;
    let running = start(&sandbox, &["/usr/bin/python3", "-I", "-c", SLOW_TO_DIE]).await?;
    running.says("up").await?;
    sandbox.limit_cpu(SMALL_SHARE)?;
    Ok(sandbox)
}

async fn many_killed_processes_with_a_small_share_are_soon_gone(host: &Host) -> TestResult {
    let before = host.engine().lingering();
    let sandbox = dying_slowly(host).await?;
    // With its share it takes twice as long.
    tokio::time::timeout(Duration::from_secs(5), sandbox.destroy()).await?;
    expect(*sandbox.removed().borrow(), "it is gone")?;
    expect(host.engine().lingering() == before, "nothing lingers")
}

async fn killing_all_is_soon_done_and_the_share_is_in_force_after_it(host: &Host) -> TestResult {
    let sandbox = dying_slowly(host).await?;
    tokio::time::timeout(Duration::from_secs(5), sandbox.kill_all()).await??;
    let program = "
import time
end = time.monotonic() + 1
while time.monotonic() < end: pass
print(time.process_time())
";
    let used: f64 = python(&sandbox, program).await?.output.trim().parse()?;
    expect(used < 0.4, format!("{used} s of a processor in a second"))?;
    sandbox.destroy().await;
    Ok(())
}

/// A process of the host's in the sandbox's process numbers. Killed with the sandbox it keeps its number
/// there as long as its parent, which is stopped, does not reap it: so init cannot end.
struct Foreigner(Child);

impl Foreigner {
    async fn enter(init: i32) -> TestResult<Self> {
        let (reader, writer) = std::io::pipe()?;
        let child = Command::new("nsenter")
            .args(["--pid", "--target", &init.to_string(), "--", "sh", "-c"])
            .arg("echo in; exec sleep 1000")
            .stdin(Stdio::null())
            .stdout(writer)
            .spawn()?;
        let foreigner = Self(child);
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(reader), &mut line)?;
        expect(line == "in\n", "it is inside")?;
        foreigner.signal(Signal::STOP)?;
        // Not before: it would still reap its child.
        let status = format!("/proc/{}/status", foreigner.0.id());
        let stopped = || fs::read_to_string(&status).is_ok_and(|text| text.contains("State:\tT"));
        until("it is stopped", stopped).await?;
        Ok(foreigner)
    }

    fn signal(&self, which: Signal) -> TestResult {
        signal(self.0.id().cast_signed(), which)
    }

    fn leave(mut self) -> TestResult {
        self.signal(Signal::CONT)?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Foreigner {
    fn drop(&mut self) {
        // Harmless where it has left.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn what_does_not_end_is_told_to_be_dead_and_its_room_is_kept_until_it_has(
    host: &Host,
) -> TestResult {
    let folders = cgroups_of(&host.config.tag).len();
    let before = host.engine().lingering();
    let sandbox = host.sandbox().await?;
    let running = start(&sandbox, &["/bin/sleep", "7654"]).await?;
    let init = init_of(host.config.first_uid, "7654").ok_or("no such process")?;
    let foreigner = Foreigner::enter(init).await?;
    let destroyed = sandbox.destroy();
    tokio::time::timeout(Duration::from_secs(20), destroyed).await?;
    // Nobody waits for it any more.
    told(sandbox.dead()).await?;
    expect(running.end().await?.exit == Exit::Signal(9), "killed")?;
    let refused = start(&sandbox, &["/bin/true"]).await;
    expect(matches!(refused, Err(Error::Gone)), "nothing to start in")?;
    // But its room is taken, also when nobody holds it.
    let mut removed = sandbox.removed();
    expect(!*removed.borrow(), "it is not gone")?;
    let (now, ever) = (before.now + 1, before.ever + 1);
    let lingering = host.engine().lingering();
    expect(
        lingering == Lingering { now, ever },
        format!("{lingering:?}"),
    )?;
    drop(sandbox);
    // Others are made meanwhile.
    let other = host.sandbox().await?;
    expect(
        shell(&other, "exit 3").await?.exit == Exit::Status(3),
        "it works",
    )?;
    other.destroy().await;
    foreigner.leave()?;
    tokio::time::timeout(Duration::from_secs(10), removed.wait_for(|gone| *gone)).await??;
    let gone = || host.engine().lingering() == Lingering { ever, ..before };
    until("nothing lingers", gone).await?;
    let as_before = || cgroups_of(&host.config.tag).len() <= folders;
    until("its cgroups are removed", as_before).await
}
