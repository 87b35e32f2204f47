//! What is kept, and what is damaged.

use storage::memory::MemoryBlobs;

use super::*;
use crate::unpack::tests::{Entry, archive};

fn package(text: &str) -> Bytes {
    let file = Entry::File("index.py".to_owned(), 0o644, text.as_bytes().to_vec());
    archive(&[file]).into()
}

#[tokio::test]
async fn what_is_damaged_is_not_used_and_the_same_upload_again_mends_it() {
    let blobs = Arc::new(MemoryBlobs::default());
    let packages = Packages::new(blobs.clone());
    let image = packages.publish(package("one")).await.unwrap().image;
    // As large, and a package as well.
    blobs.put(&blob_name(&image), package("two")).await.unwrap();
    assert!(matches!(packages.zip(&image).await, Err(Error::Damaged)));
    assert_eq!(packages.damaged(), 1);
    assert_eq!(packages.publish(package("one")).await.unwrap().image, image);
    assert_eq!(packages.zip(&image).await.unwrap(), Some(package("one")));
}
