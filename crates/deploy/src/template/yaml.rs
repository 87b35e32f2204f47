//! Templates in YAML.
//!
//! The parser tells events; this makes values of them, with a stack of its own, so that no nesting
//! exhausts the program's. Anchors are followed, and bounded in what they may add up to.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::Error;
use super::node::{Entry, Kind, Node};

/// Values of one template, counted after anchors are followed. CloudFormation takes 1 MB of text.
const NODES_MAX: usize = 200_000;
/// Maps and lists within each other. Everything after the parser may recurse so deep.
const DEPTH_MAX: usize = 64;

/// A map or list that is not at its end.
struct Open {
    line: usize,
    anchor: usize,
    tag: Option<String>,
    kind: Kind,
    /// A map's key that waits for its value.
    key: Option<(String, usize)>,
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Node, Error> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| Error {
            line: error.marker().line(),
            message: format!("this is not YAML: {}", error.info()),
        })?;
        builder.take(event, span)?;
    }
    builder.root.ok_or(Error {
        line: 1,
        message: "the template is empty".to_owned(),
    })
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Error> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let tag = tag.as_deref();
                let kind = match tag {
                    Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => {
                        Kind::Text(text.into_owned())
                    }
                    _ if plain => scalar(&text),
                    _ => Kind::Text(text.into_owned()),
                };
                let node = tagged(Node { line, kind }, name_of(tag).as_deref())?;
                self.close(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(line, anchor, tag.as_deref(), Kind::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(line, anchor, tag.as_deref(), Kind::Map(Vec::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else {
                    return Ok(());
                };
                let node = Node {
                    line: open.line,
                    kind: open.kind,
                };
                let node = tagged(node, open.tag.as_deref())?;
                self.close(node, open.anchor)
            }
            Event::Alias(id) => {
                let (node, size) = self.anchors.get(&id).cloned().ok_or_else(|| Error {
                    line,
                    message: "this refers to an anchor within itself".to_owned(),
                })?;
                // `close` counts one.
                self.nodes += size - 1;
                self.close(node, 0)
            }
            Event::DocumentStart(_) if self.root.is_some() => Err(Error {
                line,
                message: "a template is one document".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        line: usize,
        anchor: usize,
        tag: Option<&Tag>,
        kind: Kind,
    ) -> Result<(), Error> {
        if self.open.len() == DEPTH_MAX {
            return Err(Error {
                line,
                message: format!("more than {DEPTH_MAX} levels within each other"),
            });
        }
        self.open.push(Open {
            line,
            anchor,
            tag: name_of(tag),
            kind,
            key: None,
        });
        Ok(())
    }

    /// A value is complete: it goes into what is open, or is the whole.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || depth(&node) + self.open.len() > DEPTH_MAX + 8 {
            return Err(node.error("the template is too large"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size(&node)));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match open.key.take() {
                Some((key, line)) => insert(entries, key, line, node)?,
                None => {
                    let key = node
                        .scalar()
                        .ok_or_else(|| node.error("the name in a map must be a text"))?;
                    open.key = Some((key, node.line));
                }
            },
            _ => unreachable!("only lists and maps are opened"),
        }
        Ok(())
    }
}

/// `<<` takes in the entries of another map, as YAML 1.1 has it and CloudFormation's tools do.
fn insert(entries: &mut Vec<Entry>, key: String, line: usize, value: Node) -> Result<(), Error> {
    if key == "<<" {
        let merged = match value.kind {
            Kind::Map(merged) => merged,
            _ => return Err(value.error("<< takes one map")),
        };
        for entry in merged {
            if !entries.iter().any(|own| own.key == entry.key) {
                entries.push(entry);
            }
        }
        return Ok(());
    }
    if entries.iter().any(|entry| entry.key == key) {
        return Err(Error {
            line,
            message: format!("{key} is there twice"),
        });
    }
    entries.push(Entry { key, line, value });
    Ok(())
}

/// The name of a tag of one exclamation mark; those of YAML itself say nothing here.
fn name_of(tag: Option<&Tag>) -> Option<String> {
    tag.filter(|tag| !tag.is_yaml_core_schema())
        .map(|tag| tag.suffix.clone())
}

/// A value with a short form's tag, as the long form.
fn tagged(node: Node, tag: Option<&str>) -> Result<Node, Error> {
    let Some(tag) = tag else {
        return Ok(untagged_attribute(node));
    };
    let line = node.line;
    match tag {
        "Ref" | "Condition" => Ok(Node::map(line, [(tag, node)])),
        "GetAtt" => Ok(Node::map(line, [("Fn::GetAtt", path(node))])),
        "Sub" | "Join" | "Select" | "Split" | "If" | "Equals" | "Not" | "And" | "Or"
        | "FindInMap" | "ImportValue" | "Base64" | "GetAZs" | "Cidr" | "Transform" | "Length"
        | "ToJsonString" => Ok(Node::map(line, [(format!("Fn::{tag}"), node)])),
        "" => Ok(node),
        _ => Err(node.error(format!("!{tag} is not a template function"))),
    }
}

/// `Fn::GetAtt: a.b` is `Fn::GetAtt: [a, b]`.
fn untagged_attribute(mut node: Node) -> Node {
    if let Kind::Map(entries) = &mut node.kind
        && let [entry] = entries.as_mut_slice()
        && entry.key == "Fn::GetAtt"
    {
        entry.value = path(entry.value.clone());
    }
    node
}

fn path(node: Node) -> Node {
    let line = node.line;
    match node.as_text().and_then(|text| text.split_once('.')) {
        Some((name, attribute)) => Node::list(
            line,
            vec![Node::text(line, name), Node::text(line, attribute)],
        ),
        None => node,
    }
}

/// What a text without quotes is. Truth values are YAML 1.1's, as CloudFormation reads them.
fn scalar(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Kind::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Kind::Bool(false)
        }
        _ if is_number(text) => Kind::Number(text.to_owned()),
        _ => Kind::Text(text.to_owned()),
    }
}

/// Digits as JSON has them. What begins with a zero is an account's id or the like, and a text.
fn is_number(text: &str) -> bool {
    let begins = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    begins && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|e| size(&e.value)).sum::<usize>(),
        _ => 1,
    }
}

/// Levels below this one. Only what an anchor brought can be deep and closed at once.
fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Kind::Map(entries) => 1 + entries.iter().map(|e| depth(&e.value)).max().unwrap_or(0),
        _ => 0,
    }
}
