//! Which program runs a runtime's functions: `runtime.toml` of each folder of `runtimes/`.
//!
//! ```toml
//! interpreters = ["/usr/bin/python{version}", "/usr/bin/python3"]   # the first that is there
//! command = ["{interpreter}", "-S", "/var/runtime/bootstrap.py"]
//! [environment]
//! PYTHONPATH = "/var/runtime"
//! [[arguments]]                                                     # behind the interpreter
//! argument = "--no-x"
//! versions = ["3.12"]                                               # of the runtime's name
//! unless = { variable = "OPTIONS", has = "--x" }                    # the function's own word
//! ```
//!
//! In `command` and `environment`, `{interpreter}`, `{version}`, `{handler}`, `{memory_mb}`,
//! `{heap_mb}` and `{semi_mb}` are replaced; the last two are percentages of the function's memory that the file
//! may set. `provided.*` needs no folder: the function brings its `bootstrap`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use beneath::Folder;
use serde::Deserialize;
use types::Inner;

/// How this worker provides one runtime.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The name of the sandbox root it runs in.
    pub root: String,
    /// Where that root is on this machine; `/` for the host's own.
    pub root_path: PathBuf,
    /// The folder shown at `/var/runtime`; `None` for runtimes the function brings itself.
    pub folder: Option<PathBuf>,
}

/// All runtimes of this worker.
#[derive(Clone, Debug, Default)]
pub struct Runtimes {
    /// By exact name, `python3.12`; looked up first.
    pub exact: BTreeMap<String, Runtime>,
    /// By family: `python`, `nodejs`, `java`, `provided`.
    pub families: BTreeMap<String, Runtime>,
    /// Those that no function may have, and why.
    pub refused: BTreeMap<String, String>,
}

/// The program that a runtime's functions run on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interpreter {
    /// Where it is, within the root.
    pub program: String,
    /// Whether the root is this machine's own.
    pub on_host: bool,
    /// Whether its very place has the version that the runtime's name promises.
    pub named: bool,
}

/// A runtime made ready for one function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Launch {
    pub(crate) root: String,
    pub(crate) folder: Option<PathBuf>,
    /// Empty when the function brings its own bootstrap.
    pub(crate) command: Vec<String>,
    /// Go behind the command's first word, if the function does not say otherwise.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) environment: BTreeMap<String, String>,
}

/// An argument of the interpreter that a function may do without.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Argument {
    pub(crate) argument: String,
    /// The versions that have it, as runtimes' names have them.
    pub(crate) versions: Vec<String>,
    pub(crate) unless: Unless,
}

/// How a function says that it does not want an argument: a variable, and what is in it then.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unless {
    pub(crate) variable: String,
    pub(crate) has: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    #[serde(default)]
    interpreters: Vec<String>,
    command: Vec<String>,
    /// `{heap_mb}`: what a garbage-collected heap may fill; the rest is for stacks, code and native
    /// memory.
    #[serde(default = "heap_percent")]
    heap_percent: u32,
    /// `{semi_mb}`: the young generation of V8.
    #[serde(default)]
    semi_percent: u32,
    #[serde(default)]
    arguments: Vec<Argument>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

impl Runtimes {
    fn known(&self, runtime: &str) -> Result<&Runtime, String> {
        let (family, _) = split(runtime);
        let known = self.exact.get(runtime);
        let known = known.or_else(|| self.families.get(family));
        known.ok_or_else(|| "it is not configured".to_owned())
    }

    /// What functions of `runtime` run on: `None` if that is their own `bootstrap`. The error says what is
    /// missing.
    pub fn interpreter(&self, runtime: &str) -> Result<Option<Interpreter>, String> {
        let known = self.known(runtime)?;
        let Some(folder) = &known.folder else {
            return Ok(None);
        };
        let found = describe(folder)?.interpreter(&known.root_path, language_version(runtime))?;
        Ok(found.map(|(program, named)| Interpreter {
            program,
            on_host: known.root_path == Path::new("/"),
            named,
        }))
    }

    /// What runs `handler` under `runtime` with so much memory; the error says what is missing.
    pub(crate) fn launch(
        &self,
        runtime: &str,
        memory_mb: u32,
        handler: &str,
    ) -> Result<Launch, Inner> {
        let version = language_version(runtime);
        if let Some(why) = self.refused.get(runtime) {
            return Err(Inner::new(why.as_str()));
        }
        let known = self.known(runtime).map_err(Inner::new)?;
        let Some(folder) = &known.folder else {
            let root = known.root.clone();
            return Ok(Launch {
                root,
                folder: None,
                command: Vec::new(),
                arguments: Vec::new(),
                environment: BTreeMap::new(),
            });
        };
        let description = describe(folder).map_err(Inner::new)?;
        let (interpreter, _) = description
            .interpreter(&known.root_path, version)
            .map_err(Inner::new)?
            .unwrap_or_default();
        let percent = |of: u32| {
            (u64::from(memory_mb) * u64::from(of) / 100)
                .max(1)
                .to_string()
        };
        let fill = |text: &String| {
            text.replace("{interpreter}", &interpreter)
                .replace("{version}", version)
                .replace("{handler}", handler)
                .replace("{memory_mb}", &memory_mb.to_string())
                .replace("{heap_mb}", &percent(description.heap_percent))
                .replace("{semi_mb}", &percent(description.semi_percent))
        };
        Ok(Launch {
            root: known.root.clone(),
            folder: Some(folder.clone()),
            command: description.command.iter().map(fill).collect(),
            arguments: {
                let of_version = |a: &Argument| a.versions.iter().any(|v| v == version);
                description
                    .arguments
                    .into_iter()
                    .filter(of_version)
                    .collect()
            },
            environment: description
                .environment
                .iter()
                .map(|(k, v)| (k.clone(), fill(v)))
                .collect(),
        })
    }
}

impl Description {
    /// The first interpreter that is there, and whether its place has the version; `None` if the description
    /// names none.
    fn interpreter(&self, root: &Path, version: &str) -> Result<Option<(String, bool)>, String> {
        let candidates = self.interpreters.iter().map(|candidate| {
            let program = candidate.replace("{version}", version);
            let named = program != *candidate;
            (program, named)
        });
        let candidates: Vec<(String, bool)> = candidates.collect();
        let found = candidates.iter().find(|(path, _)| exists(root, path));
        if found.is_none() && !candidates.is_empty() {
            let paths: Vec<&str> = candidates.iter().map(|(path, _)| path.as_str()).collect();
            return Err(format!("none of {} is there", paths.join(", ")));
        }
        Ok(found.cloned())
    }
}

fn describe(folder: &Path) -> Result<Description, String> {
    let file = folder.join("runtime.toml");
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    toml::from_str(&text).map_err(|error| format!("{} is wrong: {error}", file.display()))
}

/// `python3.12` is `python`, `3.12`; `nodejs22.x` is `nodejs`, `22`.
pub(crate) fn split(runtime: &str) -> (&str, &str) {
    let at = runtime
        .find(|c: char| c.is_ascii_digit() || c == '.')
        .unwrap_or(runtime.len());
    let (family, version) = runtime.split_at(at);
    (family, version.strip_suffix(".x").unwrap_or(version))
}

/// The version of the language that a runtime's name promises: `3.12`, `22`, and `8` of `java8.al2`.
pub fn language_version(runtime: &str) -> &str {
    let (_, version) = split(runtime);
    let system = version.find(".al").filter(|at| *at > 0);
    &version[..system.unwrap_or(version.len())]
}

/// `python3.12` is told as `python:3.12.v1`, `provided.al2023` as `provided:al2023.v1`.
pub(crate) fn version_text(runtime: &str) -> String {
    let (family, version) = split(runtime);
    format!("{family}:{}.v1", version.trim_start_matches('.'))
}

/// What this machine's processors are called in Lambda's API.
pub fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

/// AWS gives its JVMs about 85 %.
fn heap_percent() -> u32 {
    85
}

/// Whether a root has a file at that path. Its links are an image's, and lead within it.
fn exists(root: &Path, path: &str) -> bool {
    Folder::open(root).is_ok_and(|root| root.in_root(Path::new(path)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_into_family_and_version() {
        assert_eq!(split("python3.12"), ("python", "3.12"));
        assert_eq!(split("nodejs22.x"), ("nodejs", "22"));
        assert_eq!(split("java21"), ("java", "21"));
        assert_eq!(split("provided.al2023"), ("provided", ".al2023"));
        let versions = ["python3.12", "nodejs22.x", "java8.al2"].map(language_version);
        assert_eq!(versions, ["3.12", "22", "8"]);
    }

    #[test]
    fn the_first_interpreter_that_is_there_is_taken_and_placeholders_are_filled() {
        let folder = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("py3"), "").unwrap();
        let text = "interpreters = ['/py{version}', '/py3']\n\
                    command = ['{interpreter}', '-m{memory_mb}']\n[environment]\nHEAP = '{heap_mb}'\n\
                    [[arguments]]\nargument = '-a'\nversions = ['3.12']\nunless = {variable = 'V', has = 'a'}\n\
                    [[arguments]]\nargument = '-b'\nversions = ['3.1']\nunless = {variable = 'V', has = 'b'}";
        std::fs::write(folder.path().join("runtime.toml"), text).unwrap();
        let runtime = Runtime {
            root: "host".into(),
            root_path: root.path().into(),
            folder: Some(folder.path().into()),
        };
        let families = BTreeMap::from([("python".to_owned(), runtime)]);
        let mut runtimes = Runtimes {
            families,
            ..Runtimes::default()
        };
        let found = runtimes.interpreter("python3.12").unwrap().unwrap();
        assert_eq!((found.program.as_str(), found.named), ("/py3", false));
        std::fs::write(root.path().join("py3.11"), "").unwrap();
        let found = runtimes.interpreter("python3.11").unwrap().unwrap();
        assert_eq!((found.program.as_str(), found.named), ("/py3.11", true));
        let launch = runtimes.launch("python3.12", 1000, "a.b").unwrap();
        assert_eq!(launch.command, ["/py3", "-m1000"]);
        assert_eq!(launch.environment["HEAP"], "850");
        let arguments = launch.arguments.iter().map(|a| a.argument.as_str());
        assert_eq!(arguments.collect::<Vec<_>>(), ["-a"]);
        assert!(
            runtimes
                .launch("ruby3.3", 128, "a.b")
                .unwrap_err()
                .for_log()
                .contains("not configured")
        );
        let why = "it is another".to_owned();
        runtimes.refused.insert("python3.12".into(), why.clone());
        let refused = runtimes.launch("python3.12", 128, "a.b").unwrap_err();
        assert_eq!(refused.for_log(), why);
    }
}
