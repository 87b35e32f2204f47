//! That languages run unhindered. `tools/needs languages` installs those that the host does not have.

use std::path::Path;

use sandbox::{Engine as _, Exit};

use crate::host::{Host, MB, TestResult, expect, run};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    python_runs,
    node_runs,
    java_runs,
    shells_and_tools_run,
    as_many_threads_run_as_a_user_may_have
];

/// Runs a program that must end well and print this, in a sandbox with room for any language.
async fn check(host: &Host, argv: &[&str], expected: &str) -> TestResult {
    expect(
        Path::new(argv[0]).exists(),
        format!("{} is not installed: tools/needs languages", argv[0]),
    )?;
    let mut spec = host.spec();
    (spec.memory_bytes, spec.processes_max, spec.open_files_max) = (512 * MB, 1_024, 1_024);
    let sandbox = host.engine().create(spec).await?;
    let ended = run(&sandbox, argv).await?;
    let good = ended.exit == Exit::Status(0) && ended.output.trim() == expected;
    expect(good, format!("{argv:?}: {ended:?}"))?;
    sandbox.destroy().await;
    Ok(())
}

async fn python_runs(host: &Host) -> TestResult {
    let program = "
import asyncio, concurrent.futures, ctypes, json, mmap, os, socket, ssl, subprocess, tempfile, threading
with concurrent.futures.ThreadPoolExecutor(8) as pool: assert sum(pool.map(abs, range(-9, 0))) == 45
assert subprocess.run(['/bin/echo', 'sub'], capture_output=True).stdout == b'sub\\n'
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
socket.create_connection(s.getsockname()).close()
assert socket.gethostbyname('localhost') == '127.0.0.1'
assert socket.getaddrinfo('sandbox.localdomain', 80)[0][4][0] == '127.0.0.1'
async def main(): await asyncio.sleep(0.001)
asyncio.run(main())
ssl.create_default_context()
with tempfile.NamedTemporaryFile() as f: f.write(b'x'); f.flush(); os.fsync(f.fileno())
if os.fork() == 0: os._exit(3)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 3
import pwd, time; assert pwd.getpwuid(os.getuid()).pw_name == 'sbx_user1051'
time.localtime(); os.urandom(8); os.cpu_count()
print('fine')";
    check(host, &["/usr/bin/python3", "-c", program], "fine").await
}

async fn node_runs(host: &Host) -> TestResult {
    let program = "
const { Worker } = require('worker_threads'), fs = require('fs'), os = require('os'), net = require('net');
const { execSync } = require('child_process'), crypto = require('crypto');
os.cpus(); os.networkInterfaces(); crypto.randomBytes(8);
fs.writeFileSync('/tmp/file', 'x');
if (execSync('echo sub').toString() !== 'sub\\n') throw new Error('sub');
const server = net.createServer(c => c.end('hello')).listen(0, '127.0.0.1', () =>
  net.connect(server.address().port, '127.0.0.1').on('data', d => {
    server.close();
    fs.promises.readFile('/tmp/file').then(() =>
      new Worker('require(\"worker_threads\").parentPort.postMessage(1)', { eval: true })
        .on('message', () => console.log('fine')));
  }));";
    check(host, &["/usr/bin/node", "-e", program], "fine").await
}

async fn java_runs(host: &Host) -> TestResult {
    let folder = host.config.images.join("java");
    std::fs::create_dir_all(&folder)?;
    let program = "
public class Main {
  public static void main(String[] args) throws Exception {
    var pool = java.util.concurrent.Executors.newFixedThreadPool(8);
    int sum = 0;
    for (int i = 0; i < 8; i++) { final int n = i; sum += pool.submit(() -> n).get(); }
    pool.shutdown();
    var server = new java.net.ServerSocket(0, 1, java.net.InetAddress.getLoopbackAddress());
    new java.net.Socket(server.getInetAddress(), server.getLocalPort()).close();
    java.nio.file.Files.writeString(java.nio.file.Path.of(\"/tmp/file\"), \"x\");
    new java.security.SecureRandom().nextInt();
    javax.net.ssl.SSLContext.getDefault();
    if (new ProcessBuilder(\"/bin/true\").start().waitFor() != 0) throw new Exception(\"sub\");
    System.out.println(sum == 28 ? \"fine\" : \"not\");
  }
}";
    std::fs::write(folder.join("Main.java"), program)?;
    let compiled = std::process::Command::new("/usr/bin/javac")
        .args(["-d", ".", "Main.java"])
        .current_dir(&folder)
        .status()?;
    expect(compiled.success(), "javac")?;
    let mut spec = host.spec();
    (spec.task, spec.memory_bytes, spec.processes_max) = (folder.clone(), 512 * MB, 1_024);
    let sandbox = host.engine().create(spec).await?;
    let ended = run(&sandbox, &["/usr/bin/java", "-XX:MaxHeapSize=256m", "Main"]).await?;
    expect(ended.output == "fine\n", format!("{ended:?}"))?;
    sandbox.destroy().await;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

async fn shells_and_tools_run(host: &Host) -> TestResult {
    let script = "set -e; seq 3 | sort -r | xargs -n1 > /tmp/x; tar cf - -C /var/task . | tar tf - > /dev/null
        awk 'BEGIN { print 1 + 1 }'; sed -n 2p /tmp/x; date > /dev/null; find /etc -name hosts; mkfifo /tmp/p";
    check(host, &["/bin/bash", "-c", script], "2\n2\n/etc/hosts").await
}

async fn as_many_threads_run_as_a_user_may_have(host: &Host) -> TestResult {
    let program = "
import threading
threading.stack_size(65536)
gate = threading.Event()
threads = [threading.Thread(target=gate.wait) for _ in range(700)]
[t.start() for t in threads]; gate.set(); [t.join() for t in threads]
print('fine')";
    check(host, &["/usr/bin/python3", "-c", program], "fine").await
}
