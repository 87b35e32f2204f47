//! moto: a server of S3's protocol, with a bucket. It ends with the test that holds it last, and with the process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak, mpsc};

use jetstream::Bucket;

/// A server that runs.
pub struct Moto {
    address: String,
    end: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Moto {
    /// The one that other tests of this process have now, or a new one.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Moto>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|lock| lock.into_inner());
        if let Some(moto) = shared.upgrade() {
            return moto;
        }
        let moto = Arc::new(Self::start());
        *shared = Arc::downgrade(&moto);
        moto
    }

    fn start() -> Self {
        let (end, wait) = mpsc::channel::<()>();
        let (found, address) = mpsc::channel();
        // The kernel ends it with the thread that started it.
        let thread = std::thread::spawn(move || {
            let mut process = spawn();
            let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
            let says = |line: String| Some(line.split_once("http://")?.1.trim().to_owned());
            let address = lines.by_ref().map_while(Result::ok).find_map(says);
            found.send(address).unwrap();
            // Read away, lest it wait for somebody to do so.
            let reader = std::thread::spawn(move || lines.for_each(drop));
            let _ = wait.recv();
            process.kill().unwrap();
            process.wait().unwrap();
            reader.join().unwrap();
        });
        let address = address.recv().unwrap().expect("moto says where it is");
        make_bucket(&address);
        Self {
            address,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Its bucket.
    pub fn bucket(&self) -> Bucket {
        Bucket {
            endpoint: format!("http://{}", self.address),
            region: "us-east-1".to_owned(),
            name: "blobs".to_owned(),
            key_id: "test".to_owned(),
            secret: "test".to_owned(),
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn spawn() -> Child {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/clients");
    let found = Command::new(tool)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(found.status.success(), "there is no moto");
    let folder = String::from_utf8(found.stdout).unwrap();
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(format!("{}/bin/python", folder.trim()))
        .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn make_bucket(address: &str) {
    let mut connection = TcpStream::connect(address).unwrap();
    let request = format!(
        "PUT /blobs HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
