//! What the disk keeps, loses and makes again.

use std::fs;

use super::*;

fn account(digit: char) -> AccountId {
    AccountId::new(&digit.to_string().repeat(12)).unwrap()
}

fn cache(root: &tempfile::TempDir) -> Disk {
    Disk::open(root.path().join("c"), None, Leave::nothing()).unwrap()
}

/// Of every account.
fn remove(cache: &Disk, image: &str) {
    for digit in ['1', '2'] {
        let gone = cache.take_out(&account(digit), image).unwrap();
        assert!(cache.get(&account(digit), image).is_none());
        gone.remove().unwrap();
    }
}

fn left(root: &tempfile::TempDir, folder: &str) -> usize {
    fs::read_dir(root.path().join("c").join(folder))
        .unwrap()
        .count()
}

#[test]
fn a_package_that_fails_or_is_removed_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (cache, one) = (cache(&root), account('1'));
    let failed = cache.fill(&one, "aa", |_, fresh, _| {
        fresh.new_file(Path::new("half"), 0o600)?;
        Err(Error::TooLarge { limit: 1 })
    });
    assert!(failed.is_err());
    assert!(cache.get(&one, "aa").is_none());
    assert_eq!(left(&root, one.as_str()), 0);
    let filled = cache.fill(&one, "aa", |_, fresh, _| {
        fresh.new_file(Path::new("x"), 0o644)?;
        Ok(())
    });
    assert_eq!(filled.unwrap(), cache.get(&one, "aa").unwrap());
    // A second one finds it taken and is content.
    assert!(cache.fill(&one, "aa", |_, _, _| Ok(())).is_ok());
    assert!(cache.get(&one, "aa").unwrap().join("x").exists());
    for _ in 0..2 {
        remove(&cache, "aa");
        assert!(cache.get(&one, "aa").is_none());
    }
    assert_eq!(left(&root, one.as_str()), 0);
}

#[test]
fn each_account_has_files_of_its_own_and_all_go_with_the_package() {
    let root = tempfile::tempdir().unwrap();
    let cache = cache(&root);
    let accounts = ['1', '2'].map(account);
    for account in &accounts {
        assert!(cache.get(account, "aa").is_none());
        let file = |fresh: &Folder| fresh.new_file(Path::new("x"), 0o644);
        let filled = cache.fill(account, "aa", |_, fresh, _| Ok(file(fresh).map(drop)?));
        filled.unwrap();
    }
    let inodes = accounts.each_ref().map(|account| {
        let file = cache.get(account, "aa").unwrap().join("x");
        std::os::unix::fs::MetadataExt::ino(&fs::metadata(file).unwrap())
    });
    assert_ne!(inodes[0], inodes[1]);
    remove(&cache, "aa");
    assert!(
        accounts
            .iter()
            .all(|account| cache.get(account, "aa").is_none())
    );
}

#[test]
fn what_was_made_of_a_package_goes_with_it() {
    let root = tempfile::tempdir().unwrap();
    let (cache, one) = (cache(&root), account('1'));
    for (name, of) in [("ab", "a b"), ("bc", "b c"), ("aab", "aa b")] {
        let of: Vec<String> = of.split(' ').map(str::to_owned).collect();
        cache.note(&one, name, &of).unwrap();
        cache.note(&one, name, &of).unwrap();
        cache.fill(&one, name, |_, _, _| Ok(())).unwrap();
    }
    cache.note(&one, "never-made", &["a".to_owned()]).unwrap();
    remove(&cache, "a");
    let there = ["ab", "bc", "aab"].map(|name| cache.get(&one, name).is_some());
    assert_eq!(there, [false, true, true]);
    remove(&cache, "b");
    assert_eq!(left(&root, one.as_str()), 0);
}

#[test]
fn a_cache_from_before_the_last_boot_or_of_another_shape_is_emptied() {
    let root = tempfile::tempdir().unwrap();
    let one = account('1');
    cache(&root).fill(&one, "aa", |_, _, _| Ok(())).unwrap();
    cache(&root).note(&one, "aa", &[]).unwrap();
    assert!(cache(&root).get(&one, "aa").is_some());
    fs::create_dir(root.path().join("c").join(one.as_str()).join("new-7")).unwrap();
    drop(cache(&root));
    assert_eq!(left(&root, one.as_str()), 2, "what is half done is gone");
    fs::write(root.path().join("c/boot-id"), "another").unwrap();
    fs::create_dir(root.path().join("c/of-an-older-shape")).unwrap();
    assert!(cache(&root).get(&one, "aa").is_none());
    assert_eq!(left(&root, ""), 1);
    assert!(cache(&root).get(&one, "aa").is_none());
}

#[test]
fn a_cache_that_somebody_removes_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let (cache, one) = (cache(&root), account('1'));
    cache.fill(&one, "aa", |_, _, _| Ok(())).unwrap();
    fs::remove_dir_all(root.path().join("c")).unwrap();
    assert!(cache.get(&one, "aa").is_none());
    remove(&cache, "aa");
    fs::remove_dir_all(root.path().join("c")).unwrap();
    cache.fill(&one, "aa", |_, _, _| Ok(())).unwrap();
    assert!(cache.get(&one, "aa").is_some());
    // And the next start finds it as it was left.
    assert!(
        Disk::open(root.path().join("c"), None, Leave::nothing())
            .unwrap()
            .get(&one, "aa")
            .is_some()
    );
}

#[test]
fn a_link_in_the_place_of_a_package_is_not_followed() {
    let root = tempfile::tempdir().unwrap();
    let (cache, one) = (cache(&root), account('1'));
    cache.fill(&one, "aa", |_, _, _| Ok(())).unwrap();
    let home = root.path().join("c").join(one.as_str());
    std::os::unix::fs::symlink("/etc", home.join("bb")).unwrap();
    assert!(cache.get(&one, "bb").is_none());
    remove(&cache, "bb");
    assert!(Path::new("/etc").exists());
}
