//! What work on a stranger's data can see and do, by attempts of such work.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use sandbox::{Confined, confine};

use crate::host::{Host, TestResult, expect, signal, until};
use crate::leftovers::processes_of;
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    it_sees_its_folder_and_nothing_else,
    it_has_no_rights_and_namespaces_of_its_own,
    what_it_makes_is_its_users_and_readable_by_all,
    it_is_ended_when_its_time_is_over,
    it_ends_with_its_guard,
    work_that_breaks_down_says_nothing,
];

const PLENTY: Duration = Duration::from_secs(30);

/// The work: in the confined process.
pub(crate) fn work(words: &[String], root: OwnedFd, input: OwnedFd) -> Vec<u8> {
    let what = words.first().map(String::as_str).unwrap_or_default();
    match what {
        "look" => look(root, input).into_bytes(),
        "make" => format!("{:?}", make()).into_bytes(),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "long" => vec![b'x'; 1 << 20],
        #[expect(clippy::panic, reason = "a worker that breaks down is what is tried")]
        "panic" => panic!("as it was told"),
        other => format!("{other} is not expected").into_bytes(),
    }
}

/// Lines of what is there and of what could be done.
fn look(root: OwnedFd, input: OwnedFd) -> String {
    let mut told = Vec::new();
    let mut tell = |what: &str, done: bool| told.push(format!("{what}={done}"));
    for path in [
        "/etc/passwd",
        "/proc",
        "/proc/self/status",
        "/dev/null",
        "/usr",
        "../../../../../../etc/passwd",
    ] {
        tell(path, fs::symlink_metadata(path).is_ok());
    }
    let names = fs::read_dir("/").into_iter().flatten().flatten();
    let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    tell("only-mine", names == ["mine"]);
    tell(
        "above",
        fs::read_dir("/..").is_ok_and(|all| all.count() != 1),
    );
    let mut text = String::new();
    tell(
        "input",
        File::from(input).read_to_string(&mut text).is_ok() && text == "given",
    );
    tell("root", File::from(root).metadata().is_ok());
    tell("link", fs::read("/mine/out").is_ok());
    tell("socket", TcpListener::bind("127.0.0.1:0").is_ok());
    tell("connection", TcpStream::connect("127.0.0.1:1").is_ok());
    tell("program", Command::new("/bin/true").status().is_ok());
    tell("thread", std::thread::Builder::new().spawn(|| {}).is_ok());
    tell("owner", chown("/mine", Some(0), Some(0)).is_ok());
    tell("environment", std::env::vars_os().count() > 0);
    tell("out", io::stdout().write(b"x").is_ok_and(|_| false));
    told.join("\n")
}

fn make() -> io::Result<()> {
    fs::write("/made", "x")
}

/// A folder for the work, of its user's, with a folder `mine` in it.
fn place(user: u32) -> TestResult<tempfile::TempDir> {
    let place = tempfile::Builder::new().prefix("sandbox-test-").tempdir()?;
    fs::create_dir(place.path().join("mine"))?;
    std::os::unix::fs::symlink("/etc/passwd", place.path().join("mine/out"))?;
    chown(place.path(), Some(user), Some(user))?;
    Ok(place)
}

/// Has work done by that user in a thread of its own, for it blocks.
async fn done(
    place: &Path,
    (user, within): (u32, Duration),
    words: &[&str],
) -> TestResult<io::Result<Vec<u8>>> {
    let root: OwnedFd = File::open(place)?.into();
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(b"given")?;
    drop(writer);
    let work = move || {
        confine(Confined {
            words: &words,
            root: root.as_fd(),
            input: reader.into(),
            user,
            within,
            file_bytes_max: 1 << 20,
            report_bytes_max: 4_096,
        })
    };
    Ok(tokio::task::spawn_blocking(work).await?)
}

fn user(host: &Host) -> u32 {
    host.config.confined_user()
}

/// The process of the work, once it has become its user.
async fn worker(host: &Host) -> TestResult<i32> {
    let of_user = || -> Option<i32> {
        let mut found = processes_of(host.config.first_uid).into_iter();
        found.find(|pid| status(*pid, "Uid:").is_some_and(|uid| uid == user(host).to_string()))
    };
    until("the work continues", || {
        of_user().is_some_and(|pid| status(pid, "Seccomp:").as_deref() == Some("2"))
    })
    .await?;
    Ok(of_user().ok_or("it has ended")?)
}

fn status(pid: i32, key: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.split_whitespace().next()?.to_owned())
}

async fn it_sees_its_folder_and_nothing_else(host: &Host) -> TestResult {
    let place = place(user(host))?;
    let told = done(place.path(), (user(host), PLENTY), &["look"]).await??;
    let told = String::from_utf8(told)?;
    let mut expected = ["only-mine", "input", "root"].to_vec();
    for line in told.lines() {
        let (what, done) = line.split_once('=').ok_or("no answer")?;
        let should = expected.contains(&what);
        expect((done == "true") == should, &told)?;
        expected.retain(|other| *other != what);
    }
    expect(expected.is_empty(), &told)
}

async fn it_has_no_rights_and_namespaces_of_its_own(host: &Host) -> TestResult {
    let place = place(user(host))?;
    let limited = (user(host), Duration::from_secs(3));
    let looked = async {
        let pid = worker(host).await?;
        let mut wrong = Vec::new();
        for (key, value) in [
            ("CapInh:", "0000000000000000"),
            ("CapPrm:", "0000000000000000"),
            ("CapEff:", "0000000000000000"),
            ("CapBnd:", "0000000000000000"),
            ("CapAmb:", "0000000000000000"),
            ("NoNewPrivs:", "1"),
            ("Seccomp:", "2"),
            ("Threads:", "1"),
        ] {
            if status(pid, key).as_deref() != Some(value) {
                wrong.push(key);
            }
        }
        for kind in ["mnt", "pid", "net", "ipc", "uts", "user"] {
            let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}"));
            if of(&pid.to_string())? == of("self")? {
                wrong.push(kind);
            }
        }
        expect(wrong.is_empty(), format!("{wrong:?}"))
    };
    let (ended, looked) = tokio::join!(done(place.path(), limited, &["spin"]), looked);
    expect(ended?.is_err(), "it was ended")?;
    looked
}

async fn what_it_makes_is_its_users_and_readable_by_all(host: &Host) -> TestResult {
    let place = place(user(host))?;
    let told = done(place.path(), (user(host), PLENTY), &["make"]).await??;
    expect(told == b"Ok(())", String::from_utf8_lossy(&told))?;
    let facts = fs::symlink_metadata(place.path().join("made"))?;
    let found = (facts.uid(), facts.gid(), facts.mode() & 0o7777);
    expect(
        found == (user(host), user(host), 0o644),
        format!("{found:?}"),
    )?;
    // A folder of somebody else's is none to write to.
    chown(place.path(), Some(0), Some(0))?;
    fs::remove_file(place.path().join("made"))?;
    let told = done(place.path(), (user(host), PLENTY), &["make"]).await??;
    expect(told.starts_with(b"Err("), String::from_utf8_lossy(&told))
}

async fn it_is_ended_when_its_time_is_over(host: &Host) -> TestResult {
    let place = place(user(host))?;
    let limited = (user(host), Duration::from_millis(300));
    let ended = done(place.path(), limited, &["spin"]).await?;
    let late = ended.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut);
    expect(late, "it was told to have taken too long")?;
    // It has closed its files and runs no more; the kernel may still be taking it down.
    let of_user = |pid: &i32| status(*pid, "Uid:") == Some(user(host).to_string());
    let gone = || !processes_of(host.config.first_uid).iter().any(of_user);
    until("nothing of it continues", gone).await
}

async fn it_ends_with_its_guard(host: &Host) -> TestResult {
    let place = place(user(host))?;
    let kill = async {
        let pid = worker(host).await?;
        let guard = status(pid, "PPid:").ok_or("it has ended")?;
        signal(guard.parse()?, Signal::KILL)
    };
    let (ended, killed) = tokio::join!(done(place.path(), (user(host), PLENTY), &["spin"]), kill);
    killed?;
    expect(ended??.is_empty(), "it said nothing")
}

async fn work_that_breaks_down_says_nothing(host: &Host) -> TestResult {
    let place = place(user(host))?;
    let told = done(place.path(), (user(host), PLENTY), &["panic"]).await??;
    expect(told.is_empty(), String::from_utf8_lossy(&told))?;
    let told = done(place.path(), (user(host), PLENTY), &["long"]).await??;
    expect(told.len() == 4_096, "a long report is cut")?;
    let nobody = done(place.path(), (0, PLENTY), &["make"]).await?;
    expect(nobody.is_err(), "nobody works as root")
}
