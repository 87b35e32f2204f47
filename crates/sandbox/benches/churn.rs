//! How fast sandboxes come and go: `cargo bench -p sandbox`. Needs root.
//!
//! Each round makes a sandbox, starts in it a program of a few instructions that writes one byte,
//! waits for the byte and destroys the sandbox. Printed: rounds per second, and for each part of a
//! round its median and 99th percentile, one now and then, one after the other and eight at once.

use std::ffi::CString;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbox::{
    Config, CpuWeight, Engine, Network, Outlet, Process, ProcessEngine, Root, RootKind, Spec,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long each way is measured.
const MEASURE_FOR: Duration = Duration::from_secs(4);
/// Between rounds, where they are not to be in one another's way: as starts seldom are in life.
const PAUSE: Duration = Duration::from_millis(10);
/// Rounds whose figures are left out: they fill the pool and the page cache.
const WARM_UP: usize = 50;

/// The parts of a round, in the order of their happening.
const PARTS: [&str; 4] = [
    "create",
    "start to first byte",
    "create to first byte",
    "destroy",
];

fn main() -> ExitCode {
    sandbox::become_spawner_if_asked();
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let task = folder.path().join("images/task");
    fs::create_dir_all(&task)?;
    fs::create_dir_all(folder.path().join("runtimes"))?;
    fs::write(task.join("program"), program())?;
    fs::set_permissions(task.join("program"), fs::Permissions::from_mode(0o755))?;
    let config = Config {
        tag: format!("bench-{}", std::process::id()),
        roots: vec![Root {
            name: "host".to_owned(),
            kind: RootKind::Host,
            runtimes: folder.path().join("runtimes"),
        }],
        images: folder.path().join("images"),
        first_uid: 900_000_000,
        pool: 16,
        memory_bytes: 8 << 30,
        network: Network::None,
        door: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let engine = ProcessEngine::start(config).await?;
        let mut done = Ok(());
        for (ways, pause) in [(1, PAUSE), (1, Duration::ZERO), (8, Duration::ZERO)] {
            if done.is_ok() {
                done = rounds(&engine, &task, ways, pause).await;
            }
        }
        engine.shutdown().await;
        done
    })
}

/// A static program: `write(1, "x", 1); exit(0)`.
#[cfg(target_arch = "x86_64")]
fn program() -> Vec<u8> {
    const ADDRESS: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let code = [
        0xb8, 1, 0, 0, 0, // mov eax, 1 (write)
        0xbf, 1, 0, 0, 0, // mov edi, 1
        0x48, 0x8d, 0x35, 16, 0, 0, 0, // lea rsi, [rip + 16]
        0xba, 1, 0, 0, 0, // mov edx, 1
        0x0f, 0x05, // syscall
        0xb8, 60, 0, 0, 0, // mov eax, 60 (exit)
        0x31, 0xff, // xor edi, edi
        0x0f, 0x05, // syscall
        b'x',
    ];
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    file.resize(16, 0);
    let size = HEADERS + code.len() as u64;
    for (value, bytes) in [
        (2, 2),
        (62, 2),
        (1, 4),
        (ADDRESS + HEADERS, 8),
        (64, 8),
        (0, 8),
    ]
    .into_iter()
    .chain([(0, 4), (64, 2), (56, 2), (1, 2), (0, 2), (0, 2), (0, 2)])
    // The one segment, readable and executable.
    .chain([
        (1, 4),
        (5, 4),
        (0, 8),
        (ADDRESS, 8),
        (ADDRESS, 8),
        (size, 8),
        (size, 8),
        (4096, 8),
    ]) {
        file.extend(&u64::to_le_bytes(value)[..bytes]);
    }
    file.extend(code);
    file
}

fn spec(task: &Path) -> Spec {
    Spec {
        id: "bench".to_owned(),
        root: "host".to_owned(),
        task: task.to_owned(),
        opt: None,
        runtime: None,
        shares: Vec::new(),
        memory_bytes: 128 << 20,
        cpu_millis: 1_000,
        cpu_weight: CpuWeight::Share(1_000),
        processes_max: 1_024,
        open_files_max: 1_024,
        tmp_bytes: 512 << 20,
        hostname: "sandbox".to_owned(),
    }
}

async fn rounds(
    engine: &Arc<ProcessEngine>,
    task: &Path,
    ways: usize,
    pause: Duration,
) -> Result<(), Failure> {
    for _ in 0..WARM_UP {
        round(engine, task).await?;
    }
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..ways {
        let (engine, task) = (Arc::clone(engine), task.to_owned());
        tasks.spawn(async move {
            let mut figures = Vec::new();
            while begin.elapsed() < MEASURE_FOR {
                figures.push(round(&engine, &task).await?);
                tokio::time::sleep(pause).await;
            }
            Ok::<_, Failure>(figures)
        });
    }
    let mut figures = Vec::new();
    while let Some(done) = tasks.join_next().await {
        figures.extend(done??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{ways} at once, {pause:?} between: {:.0} made and destroyed per second",
        figures.len() as f64 / seconds
    );
    for (index, part) in PARTS.iter().enumerate() {
        let mut times: Vec<Duration> = figures.iter().map(|figure| figure[index]).collect();
        times.sort_unstable();
        let at =
            |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
        println!(
            "  {part:<22} median {:>6.0} us   p99 {:>6.0} us",
            at(0.5),
            at(0.99)
        );
    }
    Ok(())
}

async fn round(engine: &Arc<ProcessEngine>, task: &Path) -> Result<[Duration; 4], Failure> {
    let (mut reader, writer) = std::io::pipe()?;
    let begin = Instant::now();
    let sandbox = engine.create(spec(task)).await?;
    let created = begin.elapsed();
    let process = Process {
        argv: vec![CString::from(c"/var/task/program")],
        env: Vec::new(),
        directory: CString::from(c"/var/task"),
        output: Outlet::Pipe(Arc::new(writer.into())),
    };
    let started = sandbox.start(process).await?;
    // The program writes at once: this blocks a thread no longer than that takes.
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    let written = begin.elapsed();
    started.exited.await?;
    let destroying = Instant::now();
    sandbox.destroy().await;
    Ok([created, written - created, written, destroying.elapsed()])
}
