//! What the cases share: folders, an engine, and short ways to run something in a sandbox.

use std::ffi::CString;
use std::fs;
use std::io::{PipeWriter, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox::{
    Config, CpuWeight, Engine as _, Exit, Instance, Network, Outlet, Process, ProcessEngine, Root,
    RootKind, Spec, Started,
};
use tempfile::TempDir;

use crate::egress::Egress;
use crate::images;

/// What a case ends with.
pub(crate) type TestResult<T = ()> = Result<T, Box<dyn std::error::Error>>;

pub(crate) const MB: u64 = 1 << 20;
/// Where the owner listens inside every sandbox, in addition to the Runtime API.
pub(crate) const DOOR: u16 = 9_100;

/// No wait for a condition is longer.
const CONDITION_WITHIN: Duration = Duration::from_secs(20);

/// One engine with folders of its own.
pub(crate) struct Host {
    pub(crate) config: Config,
    folder: TempDir,
    engine: Option<Arc<ProcessEngine>>,
    egress: Option<Egress>,
    next: AtomicU32,
}

impl Host {
    /// Makes the folders.
    pub(crate) fn prepare() -> TestResult<Self> {
        let folder = tempfile::Builder::new().prefix("sandbox-test-").tempdir()?;
        let config = Self::config_in(
            folder.path().into(),
            &format!("test-{}", std::process::id()),
        );
        for part in ["images/task", "images/layer", "runtimes/lang"] {
            fs::create_dir_all(folder.path().join(part))?;
        }
        fs::write(
            folder.path().join("images/task/code.txt"),
            "the function's code\n",
        )?;
        fs::write(folder.path().join("images/layer/layer.txt"), "a layer\n")?;
        fs::write(
            folder.path().join("runtimes/lang/bootstrap.txt"),
            "a runtime\n",
        )?;
        fs::write(
            folder.path().join("images/task/not-a-program"),
            "just text\n",
        )?;
        fs::set_permissions(
            folder.path().join("images/task/not-a-program"),
            fs::Permissions::from_mode(0o755),
        )?;
        images::fill(&folder.path().join("root"))?;
        fs::write(folder.path().join("secret.txt"), "the host's own\n")?;
        let egress = Egress::prepare(&config)?;
        Ok(Self {
            config,
            folder,
            engine: None,
            egress,
            next: AtomicU32::new(1),
        })
    }

    /// The configuration of an engine whose folders are in `folder`.
    pub(crate) fn config_in(folder: PathBuf, tag: &str) -> Config {
        let root = |name: &str, kind| Root {
            name: name.to_owned(),
            kind,
            runtimes: folder.join("runtimes"),
        };
        let image = RootKind::Directory(folder.join("root"));
        Config {
            tag: tag.to_owned(),
            roots: vec![root("host", RootKind::Host), root("image", image)],
            images: folder.join("images"),
            // Users of its own for each copy of this program that runs at once.
            first_uid: 1_000_000 + std::process::id() % 10_000 * 140_000,
            pool: 4,
            memory_bytes: 8 << 30,
            network: Network::None,
            door: Some(DOOR),
        }
    }

    pub(crate) async fn start(&mut self) -> TestResult {
        self.engine = Some(ProcessEngine::start(self.config.clone()).await?);
        if let Some(egress) = &mut self.egress {
            egress.start().await?;
        }
        Ok(())
    }

    pub(crate) async fn finish(&self) {
        self.engine().shutdown().await;
        if let Some(egress) = &self.egress {
            egress.finish().await;
        }
    }

    /// What has a way out.
    pub(crate) fn egress(&self) -> TestResult<&Egress> {
        let missing = "the commands ip and nft are not installed: tools/needs network";
        Ok(self.egress.as_ref().ok_or(missing)?)
    }

    pub(crate) fn engine(&self) -> &Arc<ProcessEngine> {
        self.engine.as_ref().expect("cases run after the start")
    }

    /// A file of the host's that no sandbox may see.
    pub(crate) fn secret(&self) -> PathBuf {
        self.folder.path().join("secret.txt")
    }

    /// An ordinary sandbox's specification.
    pub(crate) fn spec(&self) -> Spec {
        Spec {
            opt: Some(self.config.images.join("layer")),
            runtime: Some(self.config.roots[0].runtimes.join("lang")),
            ..Self::spec_in(
                &self.config,
                &format!("case-{}", self.next.fetch_add(1, Ordering::Relaxed)),
            )
        }
    }

    /// A specification without layers.
    pub(crate) fn spec_in(config: &Config, id: &str) -> Spec {
        Spec {
            id: id.to_owned(),
            root: "host".to_owned(),
            task: config.images.join("task"),
            opt: None,
            runtime: None,
            shares: Vec::new(),
            memory_bytes: 128 * MB,
            cpu_millis: 2_000,
            cpu_weight: CpuWeight::Share(1_000),
            processes_max: 64,
            open_files_max: 128,
            tmp_bytes: 64 * MB,
            hostname: "sandbox".to_owned(),
        }
    }

    /// An ordinary sandbox.
    pub(crate) async fn sandbox(&self) -> TestResult<Arc<dyn Instance>> {
        Ok(self.engine().create(self.spec()).await?)
    }
}

/// The end of a process and all it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) output: String,
}

/// A running process and its output to be.
pub(crate) struct Running {
    pub(crate) started: Started,
    reader: tokio::task::JoinHandle<std::io::Result<()>>,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Running {
    pub(crate) async fn end(self) -> TestResult<Ended> {
        let exit = self.started.exited.await?;
        self.reader.await??;
        Ok(Ended {
            exit,
            output: said(&self.said),
        })
    }

    /// Waits until it has written this.
    pub(crate) async fn says(&self, text: &str) -> TestResult {
        until(text, || said(&self.said).contains(text)).await
    }
}

fn said(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().expect("no holder panics")).into_owned()
}

/// What a case starts, with a plain environment.
pub(crate) fn process(argv: &[&str], directory: &str, output: PipeWriter) -> Process {
    let c = |text: &str| CString::new(text).expect("a case's text has no zero");
    Process {
        argv: argv.iter().map(|text| c(text)).collect(),
        env: vec![c("PATH=/usr/bin:/bin"), c("LANG=C")],
        directory: c(directory),
        output: Outlet::Pipe(Arc::new(output.into())),
    }
}

/// Starts a program in the code's folder.
pub(crate) async fn start(
    sandbox: &Arc<dyn Instance>,
    argv: &[&str],
) -> Result<Running, sandbox::Error> {
    start_in(sandbox, argv, "/var/task").await
}

/// Starts a program.
pub(crate) async fn start_in(
    sandbox: &Arc<dyn Instance>,
    argv: &[&str],
    directory: &str,
) -> Result<Running, sandbox::Error> {
    let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
    let started = sandbox.start(process(argv, directory, writer)).await?;
    let said = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&said);
    let reader = tokio::task::spawn_blocking(move || {
        let mut buffer = [0; 4096];
        while let length @ 1.. = reader.read(&mut buffer)? {
            hearing
                .lock()
                .expect("no holder panics")
                .extend(&buffer[..length]);
        }
        Ok(())
    });
    Ok(Running {
        started,
        reader,
        said,
    })
}

/// Runs a program to its end.
pub(crate) async fn run(sandbox: &Arc<dyn Instance>, argv: &[&str]) -> TestResult<Ended> {
    start(sandbox, argv).await?.end().await
}

/// Runs a shell script to its end.
pub(crate) async fn shell(sandbox: &Arc<dyn Instance>, script: &str) -> TestResult<Ended> {
    run(sandbox, &["/bin/sh", "-c", script]).await
}

/// Runs a Python program to its end.
pub(crate) async fn python(sandbox: &Arc<dyn Instance>, program: &str) -> TestResult<Ended> {
    run(sandbox, &["/usr/bin/python3", "-I", "-c", program]).await
}

/// Fails with words.
/// Sends a signal by a system call: the program `kill` is not on every machine.
pub(crate) fn signal(pid: i32, signal: rustix::process::Signal) -> TestResult {
    let pid = rustix::process::Pid::from_raw(pid).ok_or("no number of a process")?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

pub(crate) fn expect(condition: bool, what: impl std::fmt::Display) -> TestResult {
    if condition {
        Ok(())
    } else {
        Err(what.to_string().into())
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) -> TestResult {
    let deadline = tokio::time::Instant::now() + CONDITION_WITHIN;
    while !condition() {
        expect(
            tokio::time::Instant::now() < deadline,
            format!("never: {what}"),
        )?;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
