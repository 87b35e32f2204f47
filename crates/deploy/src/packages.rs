//! Code packages: folders, files and texts of the template's own, as zips.
//!
//! A package is the same, byte for byte, whenever its files are: entries are in the order of their paths,
//! have one fixed time, and of their rights only whether they may be executed. So its hash tells
//! whether there is anything to deploy.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::desired::Wanted;
use crate::hash::hex;
use crate::record::Properties;
use crate::resource::Type;
use crate::template::Error;

/// The member of `Code` and `Content` that names a package of ours by its hash.
pub(crate) const ZIP: &str = "ZipSha256";

/// Names that are never packed: what tools and version control keep next to the code.
const LEFT_OUT: [&str; 6] = [
    ".git",
    ".gitignore",
    ".aws-sam",
    ".DS_Store",
    "__pycache__",
    ".pytest_cache",
];
/// Files of one package; Lambda's unpacked 250 MB hold no more useful ones.
const FILES_MAX: usize = 100_000;
/// Bytes of one package before it is packed. The server's own limits are lower.
const BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The packages of one deploy.
pub struct Packages {
    /// Paths in the template begin here.
    root: PathBuf,
    by_path: BTreeMap<PathBuf, String>,
    by_hash: BTreeMap<String, Bytes>,
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        path: String,
        source: std::io::Error,
    },
    #[error("{path} is neither a folder nor a file")]
    NoFile { path: String },
    #[error("{path} has more than {FILES_MAX} files")]
    TooMany { path: String },
    #[error("{path} has more than {BYTES_MAX} bytes")]
    TooLarge { path: String },
    #[error("a file name in {path} is not UTF-8")]
    Name { path: String },
    #[error("the package cannot be written: {0}")]
    Zip(#[from] zip::result::ZipError),
}

impl Packages {
    /// For a template in that folder.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            by_path: BTreeMap::new(),
            by_hash: BTreeMap::new(),
        }
    }

    /// A package by its hash.
    pub fn get(&self, hash: &str) -> Option<Bytes> {
        self.by_hash.get(hash).cloned()
    }

    /// Keeps a package that came from elsewhere; gives its hash.
    pub fn keep(&mut self, package: Bytes) -> String {
        let hash = hex(&package);
        self.by_hash.insert(hash.clone(), package);
        hash
    }

    /// Puts packages in the place of paths and of code written out in the template.
    pub fn settle(&mut self, wanted: &Wanted, properties: &mut Properties) -> Result<(), Error> {
        let property = match wanted.kind {
            Type::Function => "Code",
            Type::LayerVersion => "Content",
            _ => return Ok(()),
        };
        let runtime = properties.get("Runtime").and_then(Value::as_str);
        let runtime = runtime.unwrap_or_default().to_owned();
        let Some(value) = properties.get_mut(property) else {
            return Ok(());
        };
        let hash = match &*value {
            Value::String(path) => self.packed(&path.clone()),
            Value::Object(fields) => match fields.get("ZipFile").and_then(Value::as_str) {
                Some(source) => self.inline(&runtime, source),
                None if fields.contains_key("S3Bucket") => return Ok(()),
                None => {
                    return Err(refused(
                        wanted,
                        property,
                        "is neither a path nor a place in S3",
                    ));
                }
            },
            _ => return Err(refused(wanted, property, "must be a path or a map")),
        };
        let hash = hash.map_err(|failure| refused(wanted, property, &failure.to_string()))?;
        *value = json!({ ZIP: hash });
        Ok(())
    }

    /// The package of a folder or file; a zip is taken as it is.
    fn packed(&mut self, path: &str) -> Result<String, Failure> {
        let whole = self.root.join(path);
        if let Some(hash) = self.by_path.get(&whole) {
            return Ok(hash.clone());
        }
        let unreadable = |source| Failure::Unreadable {
            path: path.to_owned(),
            source,
        };
        let facts = fs::metadata(&whole).map_err(unreadable)?;
        let package = if facts.is_dir() {
            let mut files = Vec::new();
            let mut bytes = 0;
            collect(&whole, "", &mut files, &mut bytes)?;
            files.sort_by(|one, other| one.name.cmp(&other.name));
            zipped(&files)?
        } else if facts.is_file() {
            let content = fs::read(&whole).map_err(unreadable)?;
            match content.starts_with(b"PK") {
                true => content,
                false => {
                    let name = whole.file_name().and_then(|name| name.to_str());
                    let name = name.ok_or_else(|| Failure::Name {
                        path: path.to_owned(),
                    })?;
                    let executable = facts.permissions().mode() & 0o111 != 0;
                    zipped(&[Packed::content(name, executable, content)])?
                }
            }
        } else {
            return Err(Failure::NoFile {
                path: path.to_owned(),
            });
        };
        let hash = self.keep(package.into());
        self.by_path.insert(whole, hash.clone());
        Ok(hash)
    }

    /// The package of code that stands in the template: one file named as CloudFormation names it.
    fn inline(&mut self, runtime: &str, source: &str) -> Result<String, Failure> {
        let name = match runtime {
            _ if runtime.starts_with("nodejs") => "index.js",
            _ => "index.py",
        };
        let package = zipped(&[Packed::content(name, false, source.as_bytes().to_vec())])?;
        Ok(self.keep(package.into()))
    }
}

fn refused(wanted: &Wanted, property: &str, message: &str) -> Error {
    Error {
        line: wanted.line,
        message: format!("{}: {property}: {message}", wanted.name),
    }
}

/// A file that goes into a package.
struct Packed {
    name: String,
    executable: bool,
    source: Source,
}

enum Source {
    Bytes(Vec<u8>),
    File(PathBuf),
    /// Where it points.
    Link(String),
}

impl Packed {
    fn content(name: &str, executable: bool, content: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            executable,
            source: Source::Bytes(content),
        }
    }
}

/// Collects the files below a folder. Links are packed as links and not followed, so this ends.
fn collect(
    folder: &Path,
    prefix: &str,
    files: &mut Vec<Packed>,
    bytes: &mut u64,
) -> Result<(), Failure> {
    let path = || folder.display().to_string();
    let unreadable = |source| Failure::Unreadable {
        path: path(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| Failure::Name { path: path() })?;
        if LEFT_OUT.contains(&name) {
            continue;
        }
        let facts = entry.metadata().map_err(unreadable)?;
        let within = format!("{prefix}{name}");
        if facts.is_dir() {
            collect(&entry.path(), &format!("{within}/"), files, bytes)?;
            continue;
        }
        let source = if facts.is_symlink() {
            let target = fs::read_link(entry.path()).map_err(unreadable)?;
            let target = target
                .to_str()
                .ok_or_else(|| Failure::Name { path: path() })?;
            Source::Link(target.to_owned())
        } else if facts.is_file() {
            *bytes += facts.len();
            Source::File(entry.path())
        } else {
            // Sockets and similar files are not code.
            continue;
        };
        files.push(Packed {
            name: within,
            executable: facts.permissions().mode() & 0o111 != 0,
            source,
        });
        if files.len() > FILES_MAX {
            return Err(Failure::TooMany { path: path() });
        }
        if *bytes > BYTES_MAX {
            return Err(Failure::TooLarge { path: path() });
        }
    }
    Ok(())
}

fn zipped(files: &[Packed]) -> Result<Vec<u8>, Failure> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        let mode = if file.executable { 0o755 } else { 0o644 };
        // The default time is the format's first, 1980, and always the same.
        let options = SimpleFileOptions::DEFAULT
            .compression_method(CompressionMethod::Deflated)
            .unix_permissions(mode);
        let unreadable = |source| Failure::Unreadable {
            path: file.name.clone(),
            source,
        };
        match &file.source {
            Source::Link(target) => {
                writer.add_symlink(&file.name, target, options)?;
            }
            Source::Bytes(content) => {
                writer.start_file(&file.name, options)?;
                writer.write_all(content).map_err(unreadable)?;
            }
            Source::File(path) => {
                let content = fs::read(path).map_err(unreadable)?;
                writer.start_file(&file.name, options)?;
                writer.write_all(&content).map_err(unreadable)?;
            }
        }
    }
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(root: &Path) -> Packages {
        Packages::new(root)
    }

    #[test]
    fn a_folder_is_the_same_package_whenever_its_files_are() {
        let make = |order: [&str; 3]| {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("src/lib")).unwrap();
            for name in order {
                fs::write(folder.path().join("src").join(name), name).unwrap();
            }
            fs::create_dir_all(folder.path().join("src/__pycache__")).unwrap();
            fs::write(folder.path().join("src/__pycache__/x.pyc"), "x").unwrap();
            let hash = packages(folder.path()).packed("src").unwrap();
            (folder, hash)
        };
        let (folder, one) = make(["app.py", "lib/b.py", "lib/a.py"]);
        let (_other, other) = make(["lib/a.py", "lib/b.py", "app.py"]);
        assert_eq!(one, other);
        let file = folder.path().join("src/app.py");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(packages(folder.path()).packed("src").unwrap(), one);
    }

    #[test]
    fn a_zip_is_taken_as_it_is_and_a_file_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.zip"), b"PK\x05\x06rest").unwrap();
        fs::write(folder.path().join("b.py"), b"x = 1").unwrap();
        let mut packages = packages(folder.path());
        let hash = packages.packed("a.zip").unwrap();
        assert_eq!(&packages.get(&hash).unwrap()[..], b"PK\x05\x06rest");
        let hash = packages.packed("b.py").unwrap();
        let zip = zip::ZipArchive::new(Cursor::new(packages.get(&hash).unwrap())).unwrap();
        let names: Vec<_> = zip.file_names().map(Result::unwrap).collect();
        assert_eq!(names, ["b.py"]);
        assert!(packages.packed("gone").is_err());
    }
}
