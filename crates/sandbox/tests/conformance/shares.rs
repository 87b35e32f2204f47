//! Folders of the host that several sandboxes have.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandbox::{Engine as _, Error, Instance, Share, ShareUser, Spec};
use tempfile::TempDir;

use crate::host::{Host, TestResult, expect, python, shell};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    what_one_writes_the_other_reads_and_changes,
    read_only_is_read_only,
    roots_folder_is_read_as_nobody,
    others_files_keep_their_modes,
    nothing_leads_out_of_a_shared_folder,
    no_right_is_gained_by_a_shared_folder,
    links_on_the_way_are_refused,
    a_folder_that_is_not_there_is_told,
    no_mount_remains,
    an_images_root_shows_them_too,
];

const USER: ShareUser = ShareUser::Numbers {
    user: 4_242,
    group: 4_343,
};

/// A folder that belongs to [`USER`].
fn folder() -> TestResult<TempDir> {
    let folder = tempfile::Builder::new()
        .prefix("sandbox-share-")
        .tempdir()?;
    chown(folder.path(), Some(4_242), Some(4_343))?;
    Ok(folder)
}

fn share(folder: &Path, read_only: bool, user: ShareUser) -> Share {
    Share {
        name: "shared".to_owned(),
        folder: folder.to_owned(),
        read_only,
        user,
    }
}

fn spec(host: &Host, shares: Vec<Share>) -> Spec {
    Spec {
        shares,
        ..host.spec()
    }
}

async fn with(host: &Host, share: Share) -> TestResult<Arc<dyn Instance>> {
    Ok(host.engine().create(spec(host, vec![share])).await?)
}

async fn says(sandbox: &Arc<dyn Instance>, script: &str, expected: &str) -> TestResult {
    let ended = shell(sandbox, script).await?;
    expect(ended.output == expected, format!("{script}: {ended:?}"))
}

async fn what_one_writes_the_other_reads_and_changes(host: &Host) -> TestResult {
    let folder = folder()?;
    let one = with(host, share(folder.path(), false, USER)).await?;
    let other = with(host, share(folder.path(), false, ShareUser::Owner)).await?;
    says(
        &one,
        "umask 077; mkdir /mnt/shared/d; echo one > /mnt/shared/d/f",
        "",
    )
    .await?;
    says(
        &other,
        "cd /mnt/shared/d; cat f; echo other >> f; stat -c %u:%g f",
        "one\n993:990\n",
    )
    .await?;
    says(
        &one,
        "cat /mnt/shared/d/f; mv /mnt/shared/d /mnt/shared/e",
        "one\nother\n",
    )
    .await?;
    let found = fs::metadata(folder.path().join("e/f"))?;
    let owner = (found.uid(), found.gid(), found.mode() & 0o7777);
    expect(owner == (4_242, 4_343, 0o600), format!("{owner:?}"))?;
    one.destroy().await;
    says(&other, "cat /mnt/shared/e/f", "one\nother\n").await?;
    // What the host does is seen at once.
    fs::write(folder.path().join("e/host"), "host\n")?;
    says(&other, "cat /mnt/shared/e/host", "host\n").await?;
    other.destroy().await;
    Ok(())
}

async fn read_only_is_read_only(host: &Host) -> TestResult {
    let folder = folder()?;
    fs::write(folder.path().join("f"), "text\n")?;
    chown(folder.path().join("f"), Some(4_242), Some(4_343))?;
    let sandbox = with(host, share(folder.path(), true, USER)).await?;
    let program = "
import errno, os
def attempt(function, *args):
    try:
        function(*args)
        return 'ok'
    except OSError as error:
        return errno.errorcode[error.errno]
print(open('/mnt/shared/f').read(), end='')
print(attempt(open, '/mnt/shared/f', 'a'), attempt(os.mkdir, '/mnt/shared/d'),
      attempt(os.chmod, '/mnt/shared/f', 0o777), attempt(os.unlink, '/mnt/shared/f'),
      attempt(os.mkdir, '/mnt/more'), attempt(os.rmdir, '/mnt/shared'))
";
    let ended = python(&sandbox, program).await?;
    expect(
        ended.output == "text\nEROFS EROFS EROFS EROFS EROFS EROFS\n",
        format!("{ended:?}"),
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn roots_folder_is_read_as_nobody(host: &Host) -> TestResult {
    let folder = tempfile::Builder::new()
        .prefix("sandbox-share-")
        .tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    fs::write(folder.path().join("secret"), "root's\n")?;
    fs::set_permissions(
        folder.path().join("secret"),
        fs::Permissions::from_mode(0o600),
    )?;
    let sandbox = with(host, share(folder.path(), false, ShareUser::Owner)).await?;
    let script =
        "cd /mnt/shared; cat secret 2>/dev/null || echo no; (echo x > new) 2>/dev/null || echo no";
    says(&sandbox, script, "no\nno\n").await?;
    sandbox.destroy().await;
    Ok(())
}

async fn others_files_keep_their_modes(host: &Host) -> TestResult {
    let folder = folder()?;
    for (name, mode) in [("open", 0o666), ("readable", 0o644), ("closed", 0o600)] {
        let path = folder.path().join(name);
        fs::write(&path, name)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    let sandbox = with(host, share(folder.path(), false, USER)).await?;
    let script = "cd /mnt/shared; for f in open readable closed; do cat $f 2>/dev/null || echo -n no; \
                  (echo -n + >> $f) 2>/dev/null || echo -n -; done";
    says(&sandbox, script, "openreadable-no-").await?;
    sandbox.destroy().await;
    let open = fs::read_to_string(folder.path().join("open"))?;
    expect(open == "open+", open)
}

async fn nothing_leads_out_of_a_shared_folder(host: &Host) -> TestResult {
    let folder = folder()?;
    let secret = host.secret();
    let sandbox = with(host, share(folder.path(), false, USER)).await?;
    let up = "../".repeat(12);
    let program = format!(
        "
import os
os.symlink('{secret}', '/mnt/shared/absolute')
os.symlink('{up}{secret}', '/mnt/shared/relative')
os.symlink('/etc/shadow', '/mnt/shared/shadow')
for path in ('absolute', 'relative', 'shadow', '../../../..{secret}', '{up}etc/shadow'):
    try:
        print(open('/mnt/shared/' + path).read())
    except OSError as error:
        print('no')
os.chdir('/mnt/shared')
for _ in range(12):
    os.chdir('..')
print(sorted(os.listdir('.')) == sorted(os.listdir('/')), os.path.exists('root'), os.listdir('/mnt'))
",
        secret = secret.display()
    );
    let ended = python(&sandbox, &program).await?;
    let expected = "no\nno\nno\nno\nno\nTrue False ['shared']\n";
    expect(ended.output == expected, format!("{ended:?}"))?;
    sandbox.destroy().await;
    // The links that it made lead nowhere when the folder is shown again.
    let sandbox = with(host, share(folder.path(), false, USER)).await?;
    says(
        &sandbox,
        "cat /mnt/shared/absolute 2>/dev/null || echo no",
        "no\n",
    )
    .await?;
    sandbox.destroy().await;
    Ok(())
}

async fn no_right_is_gained_by_a_shared_folder(host: &Host) -> TestResult {
    let folder = folder()?;
    // A program of root's that would run as root.
    let program = folder.path().join("id");
    fs::copy("/usr/bin/id", &program)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755))?;
    let sandbox = with(host, share(folder.path(), false, USER)).await?;
    says(
        &sandbox,
        "/mnt/shared/id -u; /mnt/shared/id -g",
        "993\n990\n",
    )
    .await?;
    let attempts = "
import ctypes, errno, os, stat
libc = ctypes.CDLL(None, use_errno=True)
def attempt(function, *args):
    try:
        function(*args)
        return 'ok'
    except OSError as error:
        return errno.errorcode[error.errno]
def call(function, *args):
    return 'ok' if function(*args) >= 0 else errno.errorcode[ctypes.get_errno()]
open('/mnt/shared/mine', 'w').close()
print(attempt(os.mknod, '/mnt/shared/disk', stat.S_IFBLK | 0o666, os.makedev(8, 0)))
print(attempt(os.mknod, '/mnt/shared/mem', stat.S_IFCHR | 0o666, os.makedev(1, 1)))
print(attempt(os.chown, '/mnt/shared/mine', 0, 0))
print(attempt(os.chown, '/mnt/shared/id', 993, 990))
print(attempt(os.chmod, '/mnt/shared/id', 0o777))
print(attempt(os.setxattr, '/mnt/shared/mine', 'trusted.x', b'1'))
print(attempt(os.setxattr, '/mnt/shared/mine', 'security.capability',
              bytes.fromhex('0100000201000000000000000000000000000000')))
print(call(libc.mount, None, b'/mnt/shared', None, 4096 | 32, None))
print(call(libc.umount2, b'/mnt/shared', 2))
print(call(libc.mount, b'/', b'/mnt/shared', None, 4096, None))
";
    let ended = python(&sandbox, attempts).await?;
    let refused = |word: &str| {
        matches!(
            word,
            "EPERM" | "EACCES" | "EINVAL" | "ENOSYS" | "EOPNOTSUPP"
        )
    };
    let words: Vec<&str> = ended.output.split_whitespace().collect();
    expect(
        words.len() == 10 && words.iter().all(|word| refused(word)),
        format!("{ended:?}"),
    )?;
    sandbox.destroy().await;
    let owner = fs::metadata(folder.path().join("mine"))?.uid();
    expect(owner == 4_242, format!("{owner}"))
}

async fn links_on_the_way_are_refused(host: &Host) -> TestResult {
    let outer = folder()?;
    fs::create_dir_all(outer.path().join("real/inner"))?;
    symlink(outer.path().join("real"), outer.path().join("link"))?;
    symlink("/etc", outer.path().join("etc"))?;
    for path in ["link", "link/inner", "etc"] {
        let share = share(&outer.path().join(path), false, USER);
        let made = host.engine().create(spec(host, vec![share])).await;
        let refused = matches!(&made, Err(Error::Share { name, source })
            if name == "shared" && source.raw_os_error() == Some(libc::ELOOP));
        expect(refused, format!("{path}: {:?}", made.err()))?;
    }
    Ok(())
}

async fn a_folder_that_is_not_there_is_told(host: &Host) -> TestResult {
    let outer = folder()?;
    let file = outer.path().join("file");
    fs::write(&file, "x")?;
    let check = async |path: PathBuf, kind: io::ErrorKind| {
        let share = share(&path, false, USER);
        let made = host.engine().create(spec(host, vec![share])).await;
        let told = matches!(&made, Err(Error::Share { source, .. }) if source.kind() == kind);
        expect(told, format!("{path:?}: {:?}", made.err()))
    };
    check(outer.path().join("none"), io::ErrorKind::NotFound).await?;
    check(file, io::ErrorKind::NotADirectory).await?;
    // A file system whose users the kernel cannot map.
    check(PathBuf::from("/proc/sys"), io::ErrorKind::InvalidInput).await?;
    // Once it is there it is shown.
    fs::create_dir(outer.path().join("none"))?;
    let sandbox = with(host, share(&outer.path().join("none"), false, USER)).await?;
    sandbox.destroy().await;
    Ok(())
}

async fn no_mount_remains(host: &Host) -> TestResult {
    let folder = folder()?;
    let sandbox = with(host, share(folder.path(), false, USER)).await?;
    says(&sandbox, "echo x > /mnt/shared/x", "").await?;
    sandbox.destroy().await;
    let name = folder.path().display().to_string();
    let mounted = fs::read_to_string("/proc/self/mountinfo")?;
    expect(!mounted.contains(&name), mounted)
}

async fn an_images_root_shows_them_too(host: &Host) -> TestResult {
    let folder = folder()?;
    fs::write(folder.path().join("f"), "text\n")?;
    let spec = Spec {
        root: "image".to_owned(),
        runtime: None,
        ..spec(host, vec![share(folder.path(), false, USER)])
    };
    let sandbox = host.engine().create(spec).await?;
    says(
        &sandbox,
        "cat /mnt/shared/f; echo more > /mnt/shared/g",
        "text\n",
    )
    .await?;
    sandbox.destroy().await;
    let owner = fs::metadata(folder.path().join("g"))?.uid();
    expect(owner == 4_242, format!("{owner}"))
}
