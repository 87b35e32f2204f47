//! What is kept, what is damaged, and what is unpacked again.

use std::sync::Mutex;

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

#[tokio::test]
async fn what_is_kept_is_used_only_if_it_is_what_was_uploaded() {
    let (root, blobs) = (
        tempfile::tempdir().unwrap(),
        Arc::new(MemoryBlobs::default()),
    );
    let images = Images::open(
        blobs.clone(),
        root.path().join("c"),
        Arc::new(Unconfined),
        0,
    )
    .unwrap();
    let image = images.publish(package("one")).await.unwrap().image;
    // As large, and a package as well.
    blobs.put(&blob_name(&image), package("two")).await.unwrap();
    let one = account('1');
    assert!(matches!(images.zip(&image).await, Err(Error::Damaged)));
    assert!(matches!(
        images.folder(&one, &image).await,
        Err(Error::Damaged)
    ));
    let both = images.layers(&one, &[&image, &image]).await;
    assert!(matches!(both, Err(Error::Damaged)));
    assert_eq!(images.damaged(), 3);
    // The same upload again repairs it.
    assert_eq!(images.publish(package("one")).await.unwrap().image, image);
    let folder = images.folder(&one, &image).await.unwrap();
    assert_eq!(text(&folder), "one");
}

#[tokio::test]
async fn packages_are_unpacked_and_merged_by_confined_processes_alone_and_once() {
    let (root, noting) = (tempfile::tempdir().unwrap(), Arc::new(Noting::default()));
    let blobs = Arc::new(MemoryBlobs::default());
    let images = Images::open(blobs, root.path().join("c"), noting.clone(), 0).unwrap();
    let mut names = Vec::new();
    for text in ["one", "two"] {
        names.push(images.publish(package(text)).await.unwrap().image);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for _ in 0..2 {
        let folder = images.layers(&account('1'), &names).await.unwrap();
        assert_eq!(text(&folder.unwrap()), "two");
    }
    let other = images.folder(&account('2'), names[0]).await.unwrap();
    assert_eq!(text(&other), "one");
    let asked = noting.0.lock().unwrap();
    let words: Vec<&str> = asked.iter().map(|words| words[0].as_str()).collect();
    assert_eq!(words, ["unpack", "unpack", "merge", "unpack"]);
}

#[tokio::test]
async fn what_takes_too_long_is_told_without_a_path_and_leaves_nothing() {
    let (root, blobs) = (
        tempfile::tempdir().unwrap(),
        Arc::new(MemoryBlobs::default()),
    );
    let images = Images::open(blobs, root.path().join("c"), Arc::new(Slow), 0).unwrap();
    let image = images.publish(package("one")).await.unwrap().image;
    let told = images.folder(&account('1'), &image).await.unwrap_err();
    assert!(matches!(told, Error::TooSlow { .. }) && !told.is_package());
    assert!(!told.to_string().contains(root.path().to_str().unwrap()));
    let home = root.path().join("c").join(account('1').as_str());
    assert_eq!(std::fs::read_dir(home).unwrap().count(), 0);
}
