//! What is unpacked, by whom, and what makes room.

use bytes::Bytes;
use storage::Blobs as _;
use storage::memory::MemoryBlobs;

use super::*;
use crate::confine::Unconfined;
use crate::unpack::tests::{Entry, archive};

/// Notes what it is asked, and does it in this process.
#[derive(Default)]
struct Noting(Mutex<Vec<Vec<String>>>);

impl Confine for Noting {
    fn user(&self) -> Option<u32> {
        None
    }

    fn run(&self, task: Task<'_>) -> io::Result<Vec<u8>> {
        self.0.lock().unwrap().push(task.words.clone());
        Unconfined.run(task)
    }
}

/// Never done in time.
struct Slow;

impl Confine for Slow {
    fn user(&self) -> Option<u32> {
        None
    }

    fn run(&self, _: Task<'_>) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::TimedOut.into())
    }
}

fn package(text: &str) -> Bytes {
    let file = Entry::File("index.py".to_owned(), 0o644, text.as_bytes().to_vec());
    archive(&[file]).into()
}

fn account(digit: char) -> AccountId {
    AccountId::new(&digit.to_string().repeat(12)).unwrap()
}

fn text(folder: &std::path::Path) -> String {
    std::fs::read_to_string(folder.join("index.py")).unwrap()
}

/// Folders below a root that is removed with it, and the packages behind them.
fn folders(
    root: &tempfile::TempDir,
    confine: Arc<dyn Confine>,
    bytes_max: u64,
) -> (Arc<Packages>, Folders) {
    let packages = Arc::new(Packages::new(Arc::new(MemoryBlobs::default())));
    let folders = reopen(root, &packages, confine, bytes_max);
    (packages, folders)
}

fn reopen(
    root: &tempfile::TempDir,
    packages: &Arc<Packages>,
    confine: Arc<dyn Confine>,
    bytes_max: u64,
) -> Folders {
    let cache = root.path().join("c");
    Folders::open(Arc::clone(packages), cache, confine, 0, bytes_max).unwrap()
}

async fn publish<const N: usize>(packages: &Packages, texts: [&str; N]) -> [String; N] {
    let mut images = texts.map(str::to_owned);
    for image in &mut images {
        *image = packages.publish(package(image)).await.unwrap().image;
    }
    images
}

/// Bytes that a package of one file takes.
const ONE: u64 = 4_096;

#[tokio::test]
async fn what_is_kept_is_used_only_if_it_is_what_was_uploaded() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Arc::new(MemoryBlobs::default());
    let packages = Arc::new(Packages::new(blobs.clone()));
    let folders = reopen(&root, &packages, Arc::new(Unconfined), u64::MAX);
    let [image] = publish(&packages, ["one"]).await;
    let blob = format!("code/{image}.zip");
    blobs.put(&blob, package("two")).await.unwrap();
    let one = account('1');
    assert!(matches!(
        folders.folder(&one, &image).await,
        Err(Error::Damaged)
    ));
    let both = folders.layers(&one, &[&image, &image]).await;
    assert!(matches!(both, Err(Error::Damaged)));
    assert_eq!(packages.damaged(), 2);
    packages.publish(package("one")).await.unwrap();
    let folder = folders.folder(&one, &image).await.unwrap();
    assert_eq!(text(&folder), "one");
}

#[tokio::test]
async fn what_was_used_longest_ago_makes_room_unless_it_is_held() {
    let root = tempfile::tempdir().unwrap();
    let noting = Arc::new(Noting::default());
    let (packages, folders) = folders(&root, noting.clone(), 2 * ONE);
    let [a, b, c, d] = publish(&packages, ["a", "b", "c", "d"]).await;
    let one = account('1');
    let held = folders.folder(&one, &a).await.unwrap();
    let merged = folders.layers(&one, &[&a, &b]).await.unwrap().unwrap();
    // Nothing of these can go.
    folders.folder(&one, &c).await.unwrap();
    assert_eq!(
        (text(&held), text(&merged)),
        ("a".to_owned(), "b".to_owned())
    );
    drop(merged);
    folders.folder(&one, &d).await.unwrap();
    assert!(text(&held) == "a" && folders.bytes() <= 2 * ONE);
    let home = root.path().join("c").join(one.as_str());
    let left: Vec<_> = std::fs::read_dir(&home).unwrap().collect();
    // Two packages and their notes: what was made of them went with them.
    assert_eq!(left.len(), 4, "{left:?}");
    let asked = noting.0.lock().unwrap().len();
    let again = folders.layers(&one, &[&a, &b]).await.unwrap().unwrap();
    assert_eq!(text(&again), "b");
    assert_eq!(
        noting.0.lock().unwrap().len(),
        asked + 2,
        "unpacked and merged again"
    );
}

#[tokio::test]
async fn what_is_kept_no_longer_goes_unless_it_is_held() {
    let root = tempfile::tempdir().unwrap();
    let (packages, folders) = folders(&root, Arc::new(Unconfined), u64::MAX);
    let [a, b, c] = publish(&packages, ["a", "b", "c"]).await;
    let one = account('1');
    let held = folders.folder(&one, &a).await.unwrap();
    let both = folders
        .layers(&one, &[&b, &c])
        .await
        .unwrap()
        .unwrap()
        .to_path_buf();
    folders.remove_gone().await.unwrap();
    assert!(both.exists() && folders.bytes() == 3 * ONE);
    for image in [&a, &b] {
        packages.remove(image).await.unwrap();
    }
    folders.remove_gone().await.unwrap();
    assert_eq!(text(&held), "a");
    assert!(!both.exists() && folders.bytes() == 2 * ONE);
    drop(held);
    folders.remove_gone().await.unwrap();
    assert_eq!(folders.bytes(), ONE);
}

#[tokio::test]
async fn a_restart_knows_what_is_there_and_how_much_it_takes() {
    let root = tempfile::tempdir().unwrap();
    let (packages, before) = folders(&root, Arc::new(Unconfined), u64::MAX);
    for image in publish(&packages, ["a", "b", "c"]).await {
        before.folder(&account('1'), &image).await.unwrap();
    }
    assert_eq!(before.bytes(), 3 * ONE);
    drop(before);
    let after = reopen(&root, &packages, Arc::new(Unconfined), u64::MAX);
    assert_eq!(after.bytes(), 3 * ONE);
    drop(after);
    let with_less_room = reopen(&root, &packages, Arc::new(Unconfined), ONE);
    assert_eq!(with_less_room.bytes(), ONE);
}

#[tokio::test]
async fn packages_are_unpacked_and_merged_by_confined_processes_alone_and_once() {
    let (root, noting) = (tempfile::tempdir().unwrap(), Arc::new(Noting::default()));
    let (packages, folders) = folders(&root, noting.clone(), u64::MAX);
    let names = publish(&packages, ["one", "two"]).await;
    let names = names.each_ref().map(String::as_str);
    for _ in 0..2 {
        let folder = folders.layers(&account('1'), &names).await.unwrap();
        assert_eq!(text(&folder.unwrap()), "two");
    }
    let other = folders.folder(&account('2'), names[0]).await.unwrap();
    assert_eq!(text(&other), "one");
    let asked = noting.0.lock().unwrap();
    let words: Vec<&str> = asked.iter().map(|words| words[0].as_str()).collect();
    assert_eq!(words, ["unpack", "unpack", "merge", "unpack"]);
}

#[tokio::test]
async fn what_takes_too_long_is_told_without_a_path_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (packages, folders) = folders(&root, Arc::new(Slow), u64::MAX);
    let [image] = publish(&packages, ["one"]).await;
    let told = folders.folder(&account('1'), &image).await.unwrap_err();
    assert!(matches!(told, Error::TooSlow { .. }) && !told.is_package());
    assert!(!told.to_string().contains(root.path().to_str().unwrap()));
    let home = root.path().join("c").join(account('1').as_str());
    let left = std::fs::read_dir(home).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [format!("{image}.bytes").as_str()]);
}
