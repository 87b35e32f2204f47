//! Taking parts out of a template's tree.

use crate::template::node::{Entry, Kind, Node};

pub(super) fn entries_mut(node: &mut Node) -> &mut [Entry] {
    match &mut node.kind {
        Kind::Map(entries) => entries,
        _ => &mut [],
    }
}

pub(super) fn keep(node: &mut Node, mut wanted: impl FnMut(&mut Entry) -> bool) {
    if let Kind::Map(entries) = &mut node.kind {
        entries.retain_mut(|entry| wanted(entry));
    }
}

/// Of a list the items, of a single one that stands for such a list the whole.
pub(super) fn items(node: &mut Node, mut wanted: impl FnMut(&Node) -> bool) {
    match &mut node.kind {
        Kind::List(items) => items.retain(|item| wanted(item)),
        _ => {
            if !wanted(node) {
                node.kind = Kind::List(Vec::new());
            }
        }
    }
}
