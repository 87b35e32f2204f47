//! Roots that come from a directory, as a container image's does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sandbox::{Engine as _, Error, Exit, RootKind};

use crate::host::{Host, TestResult, expect, shell};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    a_directory_is_the_root,
    nothing_of_the_host_is_written_through_an_images_link,
    an_unknown_root_is_refused,
    what_cannot_be_is_refused,
];

/// Fills a directory with as little as makes a root: a shell, a few tools, an `/etc`, a runtime.
pub(crate) fn fill(root: &Path) -> TestResult {
    for folder in [
        "usr/bin",
        "etc/app",
        "var/runtime",
        "var/lang",
        "root",
        "sys",
    ] {
        fs::create_dir_all(root.join(folder))?;
    }
    std::os::unix::fs::symlink("usr/bin", root.join("bin"))?;
    for program in ["sh", "cat", "ls", "id"] {
        let program = format!("/bin/{program}");
        copy(Path::new(&program), root)?;
        let libraries = Command::new("ldd").arg(&program).output()?.stdout;
        for word in String::from_utf8(libraries)?.split_whitespace() {
            if word.starts_with('/') {
                copy(Path::new(word), root)?;
            }
        }
    }
    fs::write(root.join("etc/app/settings"), "the image's own\n")?;
    fs::write(root.join("etc/passwd"), "image:x:5:5::/:/bin/sh\n")?;
    fs::write(root.join("var/lang/version"), "the image's language\n")?;
    fs::write(root.join("var/runtime/loop"), "the image's runtime\n")?;
    fs::write(root.join("root/file"), "the image's /root\n")?;
    let (of_the_host, entry) = beside(root);
    fs::write(&of_the_host, OF_THE_HOST)?;
    std::os::unix::fs::symlink(of_the_host, entry)?;
    Ok(())
}

const OF_THE_HOST: &str = "the host's own\n";

/// A file of the host, and a link of the image that leads to it, where AWS's images have a program.
fn beside(root: &Path) -> (PathBuf, PathBuf) {
    let entry = root.join("lambda-entrypoint.sh");
    (root.with_file_name("of-the-host"), entry)
}

fn copy(file: &Path, root: &Path) -> TestResult {
    let to = root.join(file.strip_prefix("/")?);
    fs::create_dir_all(to.parent().ok_or("a file has a folder")?)?;
    fs::copy(file, to)?;
    Ok(())
}

async fn a_directory_is_the_root(host: &Host) -> TestResult {
    let mut spec = host.spec();
    (spec.root, spec.runtime) = ("image".to_owned(), None);
    let sandbox = host.engine().create(spec.clone()).await?;
    let script = "id -un; cat /etc/app/settings /var/lang/version /var/runtime/loop /root/file \
                  /var/task/code.txt; echo > /etc/x; echo > /usr/x; ls /usr/bin /sys";
    let ended = shell(&sandbox, script).await?;
    let expected = "sbx_user1051\nthe image's own\nthe image's language\nthe image's runtime\n\
                    the image's /root\nthe function's code\n";
    expect(ended.output.starts_with(expected), format!("{ended:?}"))?;
    let refused = ended.output.matches("Read-only file system").count() == 2;
    expect(refused && !ended.output.contains("python"), &ended.output)?;
    sandbox.destroy().await;
    // A runtime of ours goes over the image's.
    spec.runtime = Some(host.config.roots[1].runtimes.join("lang"));
    let sandbox = host.engine().create(spec).await?;
    let ended = shell(&sandbox, "ls /var/runtime").await?;
    expect(ended.output == "bootstrap.txt\n", format!("{ended:?}"))?;
    sandbox.destroy().await;
    Ok(())
}

async fn nothing_of_the_host_is_written_through_an_images_link(host: &Host) -> TestResult {
    let mut spec = host.spec();
    (spec.root, spec.runtime) = ("image".to_owned(), None);
    let sandbox = host.engine().create(spec).await?;
    let ended = shell(&sandbox, "cat /lambda-entrypoint.sh").await?;
    expect(!ended.output.contains(OF_THE_HOST), format!("{ended:?}"))?;
    sandbox.destroy().await;
    let root = host.config.roots.iter().find_map(|root| match &root.kind {
        RootKind::Directory(folder) => Some(folder),
        RootKind::Host => None,
    });
    let (of_the_host, _) = beside(root.ok_or("there is an image")?);
    let content = fs::read_to_string(of_the_host)?;
    expect(content == OF_THE_HOST, content)
}

async fn an_unknown_root_is_refused(host: &Host) -> TestResult {
    let mut spec = host.spec();
    spec.root = "other".to_owned();
    let refused = host.engine().create(spec).await;
    expect(
        matches!(refused, Err(Error::NoSuchRoot { .. })),
        "no such root",
    )
}

async fn what_cannot_be_is_refused(host: &Host) -> TestResult {
    let spec = || host.spec();
    let specs = [
        sandbox::Spec {
            id: "a/b".to_owned(),
            ..spec()
        },
        sandbox::Spec {
            hostname: String::new(),
            ..spec()
        },
        sandbox::Spec {
            memory_bytes: 0,
            ..spec()
        },
        sandbox::Spec {
            cpu_millis: 1,
            ..spec()
        },
        sandbox::Spec {
            tmp_bytes: u64::MAX,
            ..spec()
        },
        sandbox::Spec {
            processes_max: 0,
            ..spec()
        },
    ];
    for spec in specs {
        let refused = host.engine().create(spec.clone()).await;
        expect(
            matches!(refused, Err(Error::Invalid { .. })),
            format!("{spec:?}"),
        )?;
    }
    let mut spec = host.spec();
    spec.task = host.config.images.join("absent");
    let refused = host.engine().create(spec).await;
    let told = match refused {
        Err(Error::Step { step, source }) => {
            step == "show /var/task" && source.raw_os_error() == Some(libc::ENOENT)
        }
        _ => false,
    };
    expect(told, "a missing image")?;
    let sandbox = host.sandbox().await?;
    let large = "x".repeat(200_000);
    let refused = crate::host::start(&sandbox, &["/bin/echo", &large]).await;
    expect(
        matches!(refused, Err(Error::Invalid { .. })),
        "too large a command",
    )?;
    expect(
        shell(&sandbox, "exit 7").await?.exit == Exit::Status(7),
        "it still works",
    )?;
    sandbox.destroy().await;
    Ok(())
}
