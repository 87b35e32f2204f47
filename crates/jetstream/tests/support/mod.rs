//! Real NATS servers, one or three that are a cluster: on free ports, in folders of their own, synchronised with the
//! disk before they acknowledge. They end with the test that holds them last, and with the process.

#![allow(dead_code, reason = "not every test needs all of it")]

pub mod stores;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::time::Duration;

use jetstream::{Cluster, Login, Settings, Sync};
use tempfile::TempDir;
use types::{Random as _, SystemClock, SystemRandom};

/// How long the stores' calls go on while servers elect.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is done to a server.
enum Order {
    Kill(usize),
    Start(usize),
}

/// Servers that run.
pub struct Servers {
    addresses: Vec<String>,
    orders: Option<mpsc::Sender<(Order, mpsc::Sender<()>)>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _folder: TempDir,
}

impl Servers {
    /// Those that other tests of this process have now, or new ones.
    pub fn shared(count: usize) -> Arc<Self> {
        static SHARED: Mutex<Vec<(usize, Weak<Servers>)>> = Mutex::new(Vec::new());
        let mut shared = SHARED.lock().unwrap_or_else(|lock| lock.into_inner());
        let running = shared.iter().find(|(of, _)| *of == count);
        if let Some(servers) = running.and_then(|(_, servers)| servers.upgrade()) {
            return servers;
        }
        let servers = Arc::new(Self::start(count, "always"));
        if count > 1 && std::env::var_os("LAMBENT_NATS_KILLS").is_some() {
            kill_by_turns(Arc::downgrade(&servers), count);
        }
        shared.retain(|(of, _)| *of != count);
        shared.push((count, Arc::downgrade(&servers)));
        servers
    }

    /// New ones, which write to the disk as `sync` says.
    pub fn start(count: usize, sync: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let binary = binary();
        let ports: Vec<[u16; 2]> = (0..count).map(|_| [free_port(), free_port()]).collect();
        let configs: Vec<PathBuf> = (0..count)
            .map(|number| configure(folder.path(), number, &ports, sync))
            .collect();
        let (orders, todo) = mpsc::channel::<(Order, mpsc::Sender<()>)>();
        // The kernel ends them with the thread that started them, so that one lives as long as they are wanted.
        let thread = std::thread::spawn(move || {
            let start = |config: &PathBuf| Some(Running(spawn(&binary, config)));
            let mut running: Vec<Option<Running>> = configs.iter().map(start).collect();
            while let Ok((order, done)) = todo.recv() {
                match order {
                    Order::Kill(number) => drop(running[number].take()),
                    Order::Start(number) => running[number] = start(&configs[number]),
                }
                let _ = done.send(());
            }
        });
        let address = |[port, _]: &[u16; 2]| format!("nats://127.0.0.1:{port}");
        Self {
            addresses: ports.iter().map(address).collect(),
            orders: Some(orders),
            thread: Some(thread),
            _folder: folder,
        }
    }

    fn order(&self, order: Order) {
        let (done, wait) = mpsc::channel();
        self.orders.as_ref().unwrap().send((order, done)).unwrap();
        wait.recv().unwrap();
    }

    /// Ends one with SIGKILL.
    pub fn kill(&self, number: usize) {
        self.order(Order::Kill(number));
    }

    /// Starts it again.
    pub fn restart(&self, number: usize) {
        self.order(Order::Start(number));
    }

    /// As they are, for streams whose names nobody else has.
    pub fn settings(&self) -> Settings {
        let login = |name: &str| Login {
            user: name.to_owned(),
            password: name.to_owned(),
        };
        Settings {
            servers: self.addresses.clone(),
            login: Some(login("lambent")),
            sync: Sync::Asked(login("system")),
            prefix: format!("test-{:016x}", SystemRandom.next_u64()),
            replicas: self.addresses.len(),
            patience: PATIENCE,
        }
    }

    /// A connection to them.
    pub async fn connect(&self) -> Cluster {
        connect(self.settings()).await
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A connection, which may take a moment after the servers' start.
pub async fn connect(settings: Settings) -> Cluster {
    for _ in 0..600 {
        let random = Arc::new(SystemRandom);
        match Cluster::connect(settings.clone(), Arc::new(SystemClock), random).await {
            Ok(cluster) => return cluster,
            Err(jetstream::Error::Unfit { finding, .. }) => panic!("{finding}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("no server answers");
}

/// Ends one after the other, and starts it again, for as long as they are wanted.
fn kill_by_turns(servers: Weak<Servers>, count: usize) {
    std::thread::spawn(move || {
        let (_open, never) = mpsc::channel::<()>();
        let wait = |seconds| never.recv_timeout(Duration::from_secs(seconds)).is_err();
        for turn in 0.. {
            wait(4);
            let Some(alive) = servers.upgrade() else {
                return;
            };
            alive.kill(turn % count);
            wait(3);
            alive.restart(turn % count);
            drop(alive);
            wait(4);
        }
    });
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(binary: &Path, config: &Path) -> Child {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(binary)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn configure(folder: &Path, number: usize, ports: &[[u16; 2]], sync: &str) -> PathBuf {
    let [port, _] = ports[number];
    let store = folder.join(format!("store-{number}"));
    let log = folder.join(format!("log-{number}"));
    let mut config = format!(
        "server_name: n{number}\nlisten: \"127.0.0.1:{port}\"\nmax_payload: 8MB\nlog_file: {log:?}\n\
         jetstream {{ store_dir: {store:?}, sync_interval: {sync}, max_file_store: 8GB }}\n\
         accounts {{\n\
         $SYS {{ users: [{{ user: system, password: system }}] }}\n\
         LAMBENT {{ jetstream: enabled, users: [{{ user: lambent, password: lambent }}] }}\n}}\n"
    );
    if ports.len() > 1 {
        let routes: Vec<String> = ports
            .iter()
            .map(|[_, route]| format!("\"nats://127.0.0.1:{route}\""))
            .collect();
        let (route, routes) = (ports[number][1], routes.join(", "));
        config += &format!(
            "cluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{routes}] }}\n"
        );
    }
    let path = folder.join(format!("config-{number}"));
    std::fs::write(&path, config).unwrap();
    path
}

/// Where the server is, which is fetched once.
fn binary() -> PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/nats-server");
    let found = Command::new(tool)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(found.status.success(), "there is no NATS server");
    PathBuf::from(String::from_utf8(found.stdout).unwrap().trim())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
