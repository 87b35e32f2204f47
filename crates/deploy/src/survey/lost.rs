//! Removes what refers to something that is not created, repeatedly, until nothing more depends on it.

use super::edit::{entries_mut, items, keep};
use super::{FUNCTION, Walk, rights, unknown_functions};
use crate::template::node::{Entry, Node};
use crate::template::references::references;

impl Walk {
    /// Leaves out what refers to something that is not made; whether that took more resources away.
    pub(super) fn references(&mut self, root: &mut Node) -> bool {
        let before = self.gone.len();
        for section in entries_mut(root) {
            if section.key == "Resources" {
                keep(&mut section.value, |entry| self.resource_without(entry));
            }
        }
        self.gone.len() > before
    }

    /// A name that a value refers to and that is not made.
    fn lost(&self, node: &Node) -> Option<String> {
        let found = references(node).into_iter();
        found
            .filter_map(|name| name.split('.').next().map(str::to_owned))
            .find(|name| self.gone.contains(name))
    }

    fn resource_without(&mut self, entry: &mut Entry) -> bool {
        let name = entry.key.clone();
        let kind = entry.value.get("Type").and_then(Node::as_text);
        let kind = kind.map(str::to_owned);
        let kind = kind.as_deref();
        let is_function = matches!(kind, Some(FUNCTION | "AWS::Lambda::Function"));
        let gone = self.gone.clone();
        for attribute in entries_mut(&mut entry.value) {
            match attribute.key.as_str() {
                "DependsOn" => items(&mut attribute.value, |item| {
                    !item.as_text().is_some_and(|name| gone.contains(name))
                }),
                "Properties" if is_function => {
                    keep(&mut attribute.value, |entry| {
                        self.function_without(&name, entry)
                    });
                }
                "Properties" => {
                    if let Some(lost) = self.lost(&attribute.value) {
                        let what = format!("{name}, which refers to {lost}, which is not");
                        let kind = kind.unwrap_or_default();
                        let denies = rights::are_denied_by(kind, &attribute.value);
                        self.tell(entry.line, what, !denies);
                        self.gone.insert(name);
                        return false;
                    }
                }
                _ => {}
            }
        }
        true
    }

    fn function_without(&mut self, owner: &str, property: &mut Entry) -> bool {
        let what = format!("{owner}: {}", property.key);
        match property.key.as_str() {
            "Environment" => {
                for variables in entries_mut(&mut property.value) {
                    keep(&mut variables.value, |entry| {
                        self.is_whole(
                            &format!("{owner}: the variable {}", entry.key),
                            entry.line,
                            &entry.value,
                        )
                    });
                }
            }
            "Events" => keep(&mut property.value, |entry| {
                self.is_whole(
                    &format!("{owner}: the event {}", entry.key),
                    entry.line,
                    &entry.value,
                )
            }),
            "Policies" => items(&mut property.value, |item| {
                self.is_whole(&format!("{owner}: a policy"), item.line, item)
            }),
            _ => {}
        }
        let lost = self.lost(&property.value);
        if let Some(lost) = &lost {
            let what = format!("{what}, which refers to {lost}, which is not");
            self.skip_property(property.line, &property.key, what);
        }
        lost.is_none()
    }

    fn is_whole(&mut self, what: &str, line: usize, value: &Node) -> bool {
        let lost = self.lost(value);
        if let Some(lost) = &lost {
            let what = format!("{what}, which refers to {lost}, which is not");
            self.tell(line, what, !rights::may_deny(value));
        }
        lost.is_none()
    }

    pub(super) fn outputs(&mut self, root: &mut Node) {
        for section in entries_mut(root) {
            if section.key == "Outputs" {
                keep(&mut section.value, |entry| {
                    let what = format!("the output {}", entry.key);
                    let value = entry.value.get("Value").cloned();
                    let value = value.unwrap_or_else(|| Node::list(entry.line, Vec::new()));
                    let unknown = unknown_functions(&value);
                    for (line, name) in &unknown {
                        self.skip(*line, format!("{what}: {name}"));
                    }
                    unknown.is_empty() && self.is_whole(&what, entry.line, &value)
                });
            }
        }
    }
}
