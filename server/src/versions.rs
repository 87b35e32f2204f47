//! Which version of a language each runtime actually runs on: `python3.12` runs on the machine's Python,
//! whatever that is, unless somebody says `[runtimes] strict = true`.
//!
//! The machine's own interpreters are asked (`--version`), each once, all at a time. Those of a root that the
//! operator has chosen are not: a stranger's program is not run outside of a sandbox. They count as what they
//! are chosen for.
//!
//! Of what they are nothing is known but their names: they run as nobody, in a process group that is killed as
//! soon as they have answered, and nothing waits for them forever.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, geteuid, kill_process_group, waitid};
use tokio::sync::oneshot;
use worker::{Interpreter, Runtimes, language_version};

/// How long to wait for an interpreter's answer.
const SAYS_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Bytes that are read of what it says.
const SAID_BYTES_MAX: usize = 4_096;
/// A start that needs the versions waits for no longer, whatever the programs and their file systems do.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);
/// The user and the group of nobody.
const NOBODY: u32 = 65_534;

/// What a runtime runs on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Runs {
    /// The function's own `bootstrap`.
    Bootstrap,
    /// A program in a root that the operator chose for it.
    Chosen(String),
    /// A program of this machine, and what it says of itself.
    On {
        program: String,
        /// `3.11.2`; `None` if it does not say.
        version: Option<String>,
        /// Whether that is the version of the runtime's name.
        promised: bool,
    },
    /// Nothing, and why.
    Missing(String),
}

/// What will be found.
pub(crate) struct Looking(oneshot::Receiver<BTreeMap<String, Runs>>);

impl Looking {
    /// Begins to look, on a thread that nobody joins: a file system may never answer.
    pub(crate) fn begin(runtimes: Runtimes) -> anyhow::Result<Self> {
        let (tell, told) = oneshot::channel();
        let thread = std::thread::Builder::new().name("versions".to_owned());
        let look = move || {
            // If nobody waits any more, the answer is dropped.
            let _ = tell.send(look(&runtimes));
        };
        thread
            .spawn(look)
            .context("no thread to examine the runtimes")?;
        Ok(Self(told))
    }

    /// The table. Fails if it is not complete within [`KNOWN_WITHIN`].
    pub(crate) async fn table(self) -> anyhow::Result<BTreeMap<String, Runs>> {
        let told = tokio::time::timeout(KNOWN_WITHIN, self.0).await;
        let told = told.context("the runtimes do not report their versions in time")?;
        told.context("the runtimes cannot be examined")
    }
}

/// Examines all runtimes that functions may name. Blocks.
fn look(runtimes: &Runtimes) -> BTreeMap<String, Runs> {
    let names = control::RuntimesHere::default().names();
    let names = names.into_iter().chain(runtimes.exact.keys().cloned());
    let found: BTreeMap<String, Result<Option<Interpreter>, String>> = names
        .map(|name| {
            let found = runtimes.interpreter(&name);
            (name, found)
        })
        .collect();
    let mut said: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (name, found) in &found {
        if let Ok(Some(found)) = found
            && found.on_host
        {
            said.insert(found.program.clone(), Some(name.clone()));
        }
    }
    std::thread::scope(|scope| {
        let asked: Vec<_> = said
            .iter_mut()
            .map(|(program, said)| {
                scope.spawn(move || {
                    let runtime = said.take().unwrap_or_default();
                    *said = ask(program, &runtime);
                })
            })
            .collect();
        for one in asked {
            // One that panics has not answered.
            let _ = one.join();
        }
    });
    let runs = |(name, found): (String, Result<Option<Interpreter>, String>)| {
        let runs = match found {
            Err(why) => Runs::Missing(why),
            Ok(None) => Runs::Bootstrap,
            Ok(Some(found)) if !found.on_host => Runs::Chosen(found.program),
            Ok(Some(found)) => {
                let version = said.get(&found.program).cloned().flatten();
                let promised = match &version {
                    Some(version) => is(version, language_version(&name)),
                    None => found.named,
                };
                Runs::On {
                    program: found.program,
                    version,
                    promised,
                }
            }
        };
        (name, runs)
    };
    found.into_iter().map(runs).collect()
}

/// Logs the table, a line for each runtime.
pub(crate) fn tell(table: &BTreeMap<String, Runs>) {
    for (runtime, runs) in table {
        match runs {
            Runs::Bootstrap => {
                tracing::info!(runtime, "a runtime: functions bring their own program");
            }
            Runs::Chosen(program) => {
                tracing::info!(runtime, program, "a runtime with its own root");
            }
            Runs::On {
                program,
                version,
                promised,
            } => {
                let version = version.as_deref().unwrap_or("unknown");
                if *promised {
                    tracing::info!(runtime, version, program, "a runtime");
                } else {
                    tracing::info!(
                        runtime,
                        version,
                        program,
                        "a runtime that runs on another version than the one in its name"
                    );
                }
            }
            Runs::Missing(why) => {
                tracing::info!(runtime, why, "a runtime that cannot be run here");
            }
        }
    }
}

/// The runtimes whose actual version is not the one in their name, and why.
pub(crate) fn refused(table: &BTreeMap<String, Runs>) -> BTreeMap<String, String> {
    let why = |(runtime, runs): (&String, &Runs)| match runs {
        Runs::On {
            program,
            version,
            promised: false,
        } => {
            let version = version.as_deref().unwrap_or("unknown");
            let why = format!(
                "this installation would run it on {program}, version {version}, which its operator \
                 refuses ([runtimes] strict; docs/runtimes.md says how to add the true one)"
            );
            Some((runtime.clone(), why))
        }
        _ => None,
    };
    table.iter().filter_map(why).collect()
}

/// Asks a program for its version.
fn ask(program: &str, runtime: &str) -> Option<String> {
    // Java before 9 knows no other.
    let word = if runtime.starts_with("java") {
        "-version"
    } else {
        "--version"
    };
    let mut command = Command::new(program);
    command.arg(word);
    read(&hear(command, SAYS_WITHIN)?)
}

/// What a program says, if it ends in time. Nothing of its process group is left.
fn hear(mut command: Command, within: Duration) -> Option<String> {
    let (mut reader, writer) = std::io::pipe().ok()?;
    // What it has begun may hold the pipe after its end.
    fcntl_setfl(&reader, OFlags::NONBLOCK).ok()?;
    command.env_clear().current_dir("/").process_group(0);
    if geteuid().is_root() {
        // Root's other groups go with it.
        command.uid(NOBODY).gid(NOBODY);
    }
    command
        .stdin(Stdio::null())
        .stderr(writer.try_clone().ok()?);
    command.stdout(writer);
    let mut child = command.spawn().ok()?;
    drop(command);
    let group = Pid::from_child(&child);
    let until = Instant::now() + within;
    // Its id, which is the group's, stays its own until it is waited for.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let ended = loop {
        match waitid(WaitId::Pid(group), options) {
            Ok(None) if Instant::now() < until => std::thread::park_timeout(LOOK_EVERY),
            Ok(ended) => break ended.is_some(),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break false,
        }
    };
    // All of it may have ended by itself.
    let _ = kill_process_group(group, Signal::KILL);
    if !ended {
        // What hangs in the kernel cannot be waited for here.
        let reap = move || drop(child.wait());
        let _ = std::thread::Builder::new().spawn(reap);
        return None;
    }
    let _ = child.wait();
    let mut said = [0; SAID_BYTES_MAX];
    let length = reader.read(&mut said).ok()?;
    Some(String::from_utf8_lossy(&said[..length]).into_owned())
}

/// The first number with a dot in it, or behind a `v`: `3.11.2` of "Python 3.11.2", `17.0.16` of
/// `openjdk version "17.0.16" 2025-07-15`.
fn read(said: &str) -> Option<String> {
    let words = said.split(|c: char| c.is_whitespace() || c == '"');
    let mut words = words.map(|word| word.trim_start_matches('v'));
    let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let word = words.find(number)?;
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.');
    Some(word[..end.unwrap_or(word.len())].to_owned())
}

/// Whether a version is the one of a runtime's name: `3.12.4` is `3.12`, `1.8.0` is Java `8`.
fn is(version: &str, promised: &str) -> bool {
    let parts: Vec<&str> = version.split('.').collect();
    let parts = match parts.as_slice() {
        ["1", rest @ ..] if !promised.contains('.') => rest,
        all => all,
    };
    let wanted: Vec<&str> = promised.split('.').collect();
    parts.starts_with(&wanted)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rustix::process::test_kill_process;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    /// Waits until a process is dead: it is gone, or nobody has waited for it yet.
    fn dies(pid: &str) -> bool {
        let stat = format!("/proc/{pid}/stat");
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            if test_kill_process(pid).is_err() || stat.contains(") Z ") {
                return true;
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
        false
    }

    #[test]
    fn what_a_program_leaves_behind_is_killed_and_not_waited_for() {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let script = "sleep 300 & echo $!";
            let _ = tell.send(hear(shell(script), Duration::from_secs(60)));
        });
        let said = told.recv_timeout(Duration::from_secs(30));
        let pid = said.expect("it is not waited for").unwrap();
        assert!(dies(pid.trim()));
    }

    #[test]
    fn at_its_deadline_a_program_is_killed_with_all_that_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let everybody = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), everybody).unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 300 & echo $! > {}; wait", file.display());
        assert_eq!(hear(shell(&script), Duration::from_secs(4)), None);
        assert!(dies(std::fs::read_to_string(file).unwrap().trim()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_for_versions_no_longer_than_its_bound() {
        let (_never, told) = oneshot::channel();
        let begun = tokio::time::Instant::now();
        assert!(Looking(told).table().await.is_err());
        assert!(begun.elapsed() <= KNOWN_WITHIN + Duration::from_secs(1));
    }

    #[test]
    fn a_program_that_root_asks_runs_as_nobody() {
        let said = hear(shell("id -u; id -g; id -G"), Duration::from_secs(60)).unwrap();
        let ids: Vec<&str> = said.split_whitespace().collect();
        if geteuid().is_root() {
            assert_eq!(ids, ["65534"; 3]);
        } else {
            assert_eq!(ids[0], geteuid().as_raw().to_string());
        }
    }

    #[test]
    fn versions_are_read_of_what_interpreters_say() {
        for (said, version) in [
            ("Python 3.11.2\n", Some("3.11.2")),
            ("v20.19.2\n", Some("20.19.2")),
            ("openjdk version \"17.0.16\" 2025-07-15\n", Some("17.0.16")),
            ("openjdk version \"25\" 2025-09-16\n", Some("25")),
            ("java version \"1.8.0_392\"\n", Some("1.8.0")),
            ("", None),
            ("no version", None),
        ] {
            assert_eq!(read(said).as_deref(), version, "{said}");
        }
    }

    #[test]
    fn a_version_is_the_promised_one_by_its_first_parts() {
        for (version, promised, same) in [
            ("3.12.4", "3.12", true),
            ("3.1.2", "3.12", false),
            ("3.11.2", "3.12", false),
            ("20.19.2", "20", true),
            ("2.0", "20", false),
            ("1.8.0", "8", true),
            ("17.0.16", "17", true),
            ("25", "25", true),
        ] {
            assert_eq!(is(version, promised), same, "{version} {promised}");
        }
    }

    #[test]
    fn what_is_another_version_is_refused_and_nothing_else() {
        let on = |version: &str, promised| Runs::On {
            program: "/usr/bin/x".into(),
            version: Some(version.into()),
            promised,
        };
        let table = BTreeMap::from([
            ("python3.11".to_owned(), on("3.11.2", true)),
            ("python3.12".to_owned(), on("3.11.2", false)),
            (
                "python3.9".to_owned(),
                Runs::Chosen("/usr/bin/python3".into()),
            ),
            ("java21".to_owned(), Runs::Missing("none is there".into())),
            ("provided.al2023".to_owned(), Runs::Bootstrap),
        ]);
        let refused = refused(&table);
        assert_eq!(refused.keys().collect::<Vec<_>>(), ["python3.12"]);
        assert!(refused["python3.12"].contains("/usr/bin/x, version 3.11.2"));
    }
}
