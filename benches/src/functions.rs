//! The functions that are measured.

use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::Setup;

/// A function to create.
pub(crate) struct Function {
    pub(crate) language: &'static str,
    pub(crate) runtime: &'static str,
    pub(crate) handler: &'static str,
    /// File, mode, content.
    pub(crate) files: Vec<(&'static str, u32, Vec<u8>)>,
}

const PYTHON: &str = "import time
def echo(event, context):
    return event
def sleep(event, context):
    time.sleep(1)
    return event
def compute(event, context):
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    return event
";
const NODE: &str = "exports.echo = async (event) => event;\n";

impl Function {
    /// The echo of each language.
    pub(crate) fn echoes(setup: &Setup) -> anyhow::Result<Vec<Self>> {
        Ok(vec![
            Self::python("app.echo"),
            Self::node(),
            Self::rust(setup)?,
        ])
    }

    pub(crate) fn python(handler: &'static str) -> Self {
        let files = vec![("app.py", 0o644, PYTHON.into())];
        Self {
            language: "Python",
            runtime: "python3.11",
            handler,
            files,
        }
    }

    pub(crate) fn node() -> Self {
        let files = vec![("app.js", 0o644, NODE.into())];
        Self {
            language: "Node.js",
            runtime: "nodejs20.x",
            handler: "app.echo",
            files,
        }
    }

    pub(crate) fn rust(setup: &Setup) -> anyhow::Result<Self> {
        let program = std::fs::read(&setup.echo).context("echo-runtime is not built")?;
        let files = vec![("bootstrap", 0o755, program)];
        Ok(Self {
            language: "Rust",
            runtime: "provided.al2023",
            handler: "x",
            files,
        })
    }

    /// The Java example, if it was built.
    pub(crate) fn java(setup: &Setup) -> Option<Self> {
        let zip = std::fs::read(setup.runtimes.join("examples/java.zip")).ok()?;
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).ok()?;
        let mut content = Vec::new();
        archive
            .by_name("example/Hello.class")
            .ok()?
            .read_to_end(&mut content)
            .ok()?;
        let files = vec![("example/Hello.class", 0o644, content)];
        Some(Self {
            language: "Java",
            runtime: "java17",
            handler: "example.Hello",
            files,
        })
    }

    /// The package.
    pub(crate) fn zip(&self) -> anyhow::Result<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode, content) in &self.files {
            writer.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode))?;
            writer.write_all(content)?;
        }
        Ok(writer.finish()?.into_inner())
    }

    /// Puts the files into a folder, for running them without the server.
    pub(crate) fn lay_out(&self, folder: &Path) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        for (name, mode, content) in &self.files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().context("a file in a folder")?)?;
            std::fs::write(&path, content)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode))?;
        }
        Ok(())
    }
}
