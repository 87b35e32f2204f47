//! What an archive's entries come to, before anything of it is unpacked. Pure.
//!
//! The plan is a tree of names, so that a folder which many entries imply is one node, as it will be one
//! folder. All that entries could do to each other is refused here: a file where a folder is, a path
//! through a link. Unpacking then makes what the plan has and nothing else.

use std::collections::BTreeMap;

use types::limits::UNZIPPED_BYTES_MAX;

use crate::error::{Error, Problem};

/// What an entry takes of a file system at least, however small it is: a block, or an inode.
pub(crate) const ENTRY_BYTES_MIN: u64 = 4_096;
/// Folders within each other, at most. A made-up bound: real packages have some ten.
pub(crate) const DEPTH_MAX: usize = 64;
/// One name, bytes (Linux's NAME_MAX).
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// A path, bytes: with `/var/task/` before it, it fits Linux's PATH_MAX.
pub(crate) const PATH_BYTES_MAX: usize = 4_000;

/// What an entry is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Folder,
    File,
    Link,
}

/// See the module.
pub(crate) struct Plan {
    /// The first is the package's folder itself.
    nodes: Vec<Node>,
    weight: u64,
}

/// A folder, file or link to be.
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// The entry that it is made of; none for a folder that entries imply.
    pub(crate) entry: Option<usize>,
    /// What is in a folder, by name.
    children: BTreeMap<Box<str>, usize>,
    bytes: u64,
}

impl Node {
    fn new(kind: Kind, entry: Option<usize>, bytes: u64) -> Self {
        Self {
            kind,
            entry,
            children: BTreeMap::new(),
            bytes,
        }
    }
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self {
            nodes: vec![Node::new(Kind::Folder, None, 0)],
            weight: 0,
        }
    }

    /// Takes in an entry, the `index`th of the archive, with the size that it claims. Of two files with
    /// one name the later one counts.
    pub(crate) fn add(
        &mut self,
        name: &str,
        kind: Kind,
        index: usize,
        bytes: u64,
    ) -> Result<(), Error> {
        let bad = |problem| Error::bad_entry(name, problem);
        let parts = parts(name).map_err(bad)?;
        let Some((last, folders)) = parts.split_last() else {
            // The package's folder itself, which is there.
            return match kind {
                Kind::Folder => Ok(()),
                Kind::File | Kind::Link => Err(bad(Problem::Clash)),
            };
        };
        let mut at = 0;
        for part in folders {
            at = self.enter(at, part).map_err(bad)?;
            self.within()?;
        }
        let there = self.nodes[at].children.get(*last).copied();
        match there {
            None => {
                let number = self.nodes.len();
                self.nodes.push(Node::new(kind, Some(index), bytes));
                self.nodes[at].children.insert((*last).into(), number);
                self.count(bytes);
            }
            Some(number) => {
                let node = &mut self.nodes[number];
                match (node.kind, kind) {
                    (Kind::Folder, Kind::Folder) => {}
                    (Kind::File, Kind::File) => {
                        let before = std::mem::replace(&mut node.bytes, bytes);
                        node.entry = Some(index);
                        self.weight = self.weight.saturating_sub(before.max(ENTRY_BYTES_MIN));
                        self.count(bytes);
                    }
                    (Kind::Link, Kind::Link) => return Err(bad(Problem::LinkTwice)),
                    _ => return Err(bad(Problem::Clash)),
                }
            }
        }
        self.within()
    }

    /// The folder of that name in a folder, created if missing.
    fn enter(&mut self, at: usize, name: &str) -> Result<usize, Problem> {
        if let Some(number) = self.nodes[at].children.get(name).copied() {
            return match self.nodes[number].kind {
                Kind::Folder => Ok(number),
                Kind::File => Err(Problem::Clash),
                Kind::Link => Err(Problem::ThroughLink),
            };
        }
        let number = self.nodes.len();
        self.nodes.push(Node::new(Kind::Folder, None, 0));
        self.nodes[at].children.insert(name.into(), number);
        self.count(0);
        Ok(number)
    }

    fn count(&mut self, bytes: u64) {
        self.weight = self.weight.saturating_add(bytes.max(ENTRY_BYTES_MIN));
    }

    fn within(&self) -> Result<(), Error> {
        if self.weight > UNZIPPED_BYTES_MAX {
            return Err(Error::TooLarge {
                limit: UNZIPPED_BYTES_MAX,
            });
        }
        Ok(())
    }

    /// What all of it takes, as far as the entries' claims go.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    /// What folders and links take, which have no bytes of their own.
    pub(crate) fn weight_without_files(&self) -> u64 {
        let others = self.nodes.iter().skip(1);
        let others = others.filter(|node| node.kind != Kind::File).count();
        ENTRY_BYTES_MIN.saturating_mul(others as u64)
    }

    /// The package's folder.
    pub(crate) fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// What is in a folder, in the order of names.
    pub(crate) fn children<'a>(
        &'a self,
        folder: &'a Node,
    ) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let children = folder.children.iter();
        children.map(|(name, number)| (&**name, &self.nodes[*number]))
    }
}

/// The names that lead to an entry: plain ones only, nothing absolute, no `..`.
fn parts(name: &str) -> Result<Vec<&str>, Problem> {
    if name.is_empty() || name.contains('\0') {
        return Err(Problem::NoName);
    }
    if name.starts_with('/') {
        return Err(Problem::LeadsOut);
    }
    if name.len() > PATH_BYTES_MAX {
        return Err(Problem::TooLong);
    }
    let parts: Vec<&str> = name
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    if parts.contains(&"..") {
        return Err(Problem::LeadsOut);
    }
    if parts.iter().any(|part| part.len() > NAME_BYTES_MAX) {
        return Err(Problem::TooLong);
    }
    if parts.len() > DEPTH_MAX {
        return Err(Problem::TooDeep);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(entries: &[(&str, Kind)]) -> Result<Plan, String> {
        let mut plan = Plan::new();
        for (index, (name, kind)) in entries.iter().enumerate() {
            plan.add(name, *kind, index, 1)
                .map_err(|error| error.to_string())?;
        }
        Ok(plan)
    }

    fn refused(entries: &[(&str, Kind)], problem: Problem) {
        let told = plan(entries).err().unwrap_or_default();
        assert!(told.contains(problem.words()), "{entries:?}: {told}");
    }

    use Kind::{File, Folder, Link};

    #[test]
    fn an_entry_below_a_link_of_the_archive_is_refused_whichever_comes_first() {
        refused(&[("a", Link), ("a/x", Link)], Problem::ThroughLink);
        refused(&[("a", Link), ("a/new/deep", Folder)], Problem::ThroughLink);
        refused(&[("b/a", Link), ("./b//a/x", File)], Problem::ThroughLink);
        refused(&[("a/x", File), ("a", Link)], Problem::Clash);
        refused(&[("a/", Folder), ("a", Link)], Problem::Clash);
        refused(&[("a", Link), ("a/", Folder)], Problem::Clash);
        refused(&[("a", Link), ("a", File)], Problem::Clash);
        refused(&[("a", Link), ("./a", Link)], Problem::LinkTwice);
        assert!(plan(&[("a", Link), ("ab/x", File), ("b/a", Link)]).is_ok());
    }

    #[test]
    fn names_that_lead_out_or_say_nothing_are_refused() {
        for name in ["../x", "/etc/x", "a/../../x", "a/..", "..", "//x"] {
            refused(&[(name, File)], Problem::LeadsOut);
        }
        for name in ["", "a\0b"] {
            refused(&[(name, File)], Problem::NoName);
        }
        refused(&[(".", File)], Problem::Clash);
        assert!(plan(&[("./", Folder), ("./a/./b", File), ("a//c", File)]).is_ok());
    }

    #[test]
    fn depth_and_names_are_bounded() {
        let deep = |parts: usize| vec!["a"; parts].join("/");
        assert!(plan(&[(&deep(DEPTH_MAX), File)]).is_ok());
        refused(&[(&deep(DEPTH_MAX + 1), File)], Problem::TooDeep);
        let long = "x".repeat(NAME_BYTES_MAX);
        assert!(plan(&[(&long, File)]).is_ok());
        refused(&[(&format!("{long}x/y"), File)], Problem::TooLong);
        refused(&[(&"x/".repeat(PATH_BYTES_MAX), File)], Problem::TooLong);
    }

    #[test]
    fn folders_that_entries_imply_count_as_entries() {
        let one = plan(&[("a/b/c/x", File)]).unwrap();
        assert_eq!(one.weight, 4 * ENTRY_BYTES_MIN);
        let two = plan(&[("a/b/c/x", File), ("a/b/y", File), ("a/", Folder)]).unwrap();
        assert_eq!(two.weight, 5 * ENTRY_BYTES_MIN);
        let mut many = Plan::new();
        let mut added = 0;
        let refused = loop {
            let name = format!("{added}/{}x", "a/".repeat(DEPTH_MAX - 2));
            match many.add(&name, File, added, 1) {
                Ok(()) => added += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, Error::TooLarge { .. }));
        // 64 of each entry, where the bound is 64 000 of 4 KiB.
        assert_eq!(added, 1_000);
    }

    #[test]
    fn a_file_that_stands_twice_is_the_later_one_and_counts_once() {
        let mut plan = Plan::new();
        plan.add("a/b", File, 0, 10_000).unwrap();
        plan.add("./a/b", File, 7, 5_000).unwrap();
        assert_eq!(plan.weight(), 5_000 + ENTRY_BYTES_MIN);
        let a = plan.children(plan.root()).next().unwrap().1;
        assert_eq!(plan.children(a).next().unwrap().1.entry, Some(7));
    }
}
