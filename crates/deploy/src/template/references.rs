//! What a value refers to, before evaluation: the arrows of the graph.

use std::collections::BTreeSet;

use super::node::{Kind, Node};

/// The names that a value refers to: of resources and parameters alike, with what `Fn::If` would
/// not choose, too.
pub fn references(node: &Node) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(node, &mut found);
    found
}

fn collect(node: &Node, found: &mut BTreeSet<String>) {
    match node.call() {
        Some(("Ref", argument)) => found.extend(argument.as_text().map(str::to_owned)),
        Some(("Fn::GetAtt", argument)) => {
            let name = argument.items().and_then(|path| path.first());
            found.extend(name.and_then(Node::as_text).map(str::to_owned));
        }
        Some(("Fn::Sub", argument)) => {
            let (text, own) = match argument.items() {
                Some([text, own]) => (text, Some(own)),
                _ => (argument, None),
            };
            substituted(text, own, found);
            if let Some(own) = own {
                collect(own, found);
            }
        }
        _ => match &node.kind {
            Kind::List(items) => items.iter().for_each(|item| collect(item, found)),
            Kind::Map(entries) => entries.iter().for_each(|e| collect(&e.value, found)),
            _ => {}
        },
    }
}

fn substituted(text: &Node, own: Option<&Node>, found: &mut BTreeSet<String>) {
    let text = text.as_text().unwrap_or_default();
    for name in text
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
    {
        if !name.starts_with('!') && own.is_none_or(|own| own.get(name).is_none()) {
            // `Name.Alias` is a name of SAM's as well as an attribute.
            found.insert(name.to_owned());
            found.extend(name.split('.').next().map(str::to_owned));
        }
    }
}
