//! Which version of a language each runtime truly runs on: `python3.12` runs on the machine's Python,
//! whatever that is, unless somebody says `[runtimes] strict = true`.
//!
//! The machine's own interpreters are asked (`--version`), each once, all at a time. Those of a root that the
//! operator has chosen are not: a stranger's program is not run outside of a sandbox. They count as what they
//! are chosen for.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use worker::{Interpreter, Runtimes, language_version};

/// An interpreter that says nothing for so long is not waited for.
const SAYS_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Bytes that are read of what it says.
const SAID_BYTES_MAX: u64 = 4_096;

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

/// Looks at all runtimes that functions may name. Blocks.
pub(crate) fn look(runtimes: &Runtimes) -> BTreeMap<String, Runs> {
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
            // Whoever panics has said nothing.
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
                tracing::info!(runtime, program, "a runtime in a root of its own");
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
                        "a runtime that runs on another version than its name promises"
                    );
                }
            }
            Runs::Missing(why) => {
                tracing::info!(runtime, why, "a runtime that cannot be run here");
            }
        }
    }
}

/// The runtimes whose names promise what is not there, and why.
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
    let (mut reader, writer) = std::io::pipe().ok()?;
    let mut command = Command::new(program);
    command.arg(word).env_clear().current_dir("/");
    command
        .stdin(Stdio::null())
        .stderr(writer.try_clone().ok()?);
    command.stdout(writer);
    let mut child = command.spawn().ok()?;
    drop(command);
    let until = Instant::now() + SAYS_WITHIN;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() >= until {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
    let mut said = Vec::new();
    reader
        .by_ref()
        .take(SAID_BYTES_MAX)
        .read_to_end(&mut said)
        .ok()?;
    read(&String::from_utf8_lossy(&said))
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
    use super::*;

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
