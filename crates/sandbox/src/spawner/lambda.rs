//! What programs written for AWS Lambda expect in a root, whichever `/usr` it shows: the entry point of
//! AWS's images, languages in `/var/lang/bin`, and bash as the shell.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::Path;

use crate::sys::mounts;

/// The program that AWS's images begin with.
const ENTRYPOINT: &str = "lambda-entrypoint.sh";
/// It takes the handler and starts the runtime, as AWS's does. Nothing here uses it.
const ENTRYPOINT_TEXT: &str = "#!/bin/sh
if [ $# -ne 1 ]; then
  echo \"entrypoint requires the handler name to be the first argument\" 1>&2
  exit 142
fi
export _HANDLER=\"$1\"
exec /var/runtime/bootstrap
";

/// Where AWS has the languages, and where they are here; the first that exists is linked to.
const LANGUAGES: &str = "var/lang/bin";
const PLACES: [&str; 2] = ["/usr/bin", "/usr/local/bin"];
/// Names without a number, and how the numbers continue.
const UNNUMBERED: [(&str, &str); 5] = [
    ("python3", "python3"),
    ("python", "python3"),
    ("node", "node"),
    ("npm", "npm"),
    ("java", "java"),
];
/// Python's names have a number; where that one is missing, the machine's is what `python3.x` runs on.
const PYTHON_MINORS: std::ops::RangeInclusive<u32> = 8..=14;

/// `/bin/sh` is bash on Amazon Linux: scripts say `source`.
const SHELLS: (&str, &str) = ("/usr/bin/bash", "/bin/sh");

/// Writes into a root that is being laid out. What an image has already stays.
pub(super) fn write(new: &Path) -> io::Result<()> {
    let entrypoint = new.join(ENTRYPOINT);
    // Created or left alone: what an image has here may be a link, which would lead out of the root.
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(&entrypoint);
    match made {
        Ok(mut file) => file.write_all(ENTRYPOINT_TEXT.as_bytes())?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let folder = new.join(LANGUAGES);
    if fs::symlink_metadata(new.join("var/lang")).is_ok() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    for (name, program) in UNNUMBERED {
        link(new, &folder, name, &[program])?;
    }
    for minor in PYTHON_MINORS {
        let name = format!("python3.{minor}");
        link(new, &folder, &name, &[&name, "python3"])?;
    }
    Ok(())
}

/// Links `name` to the first of these programs that the root has. Links among them are not followed:
/// they are meant for the inside.
fn link(new: &Path, folder: &Path, name: &str, programs: &[&str]) -> io::Result<()> {
    let paths = programs
        .iter()
        .flat_map(|program| PLACES.map(|place| Path::new(place).join(program)));
    let mut there = paths.filter(|path| {
        let inside = path.strip_prefix("/").unwrap_or(path);
        fs::symlink_metadata(new.join(inside)).is_ok()
    });
    match there.next() {
        Some(program) => symlink(program, folder.join(name)),
        None => Ok(()),
    }
}

/// Mounts bash over the shell; to be called in the root itself, where its links stay inside. A root
/// without bash keeps its shell.
pub(super) fn have_bash() -> io::Result<()> {
    let (bash, shell) = (Path::new(SHELLS.0), Path::new(SHELLS.1));
    let (Ok(from), Ok(to)) = (bash.canonicalize(), shell.canonicalize()) else {
        return Ok(());
    };
    // A multi-call program, which acts by the name it is called by, must not be replaced by one
    // program.
    let is_many = to.file_name().is_some_and(|name| name == "busybox");
    if from == to || is_many || !from.is_file() {
        return Ok(());
    }
    mounts::bind(&from, &to)
}
