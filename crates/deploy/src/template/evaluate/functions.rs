//! The functions of templates, each with its forms.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::Error;
use super::super::node::Node;
use super::{Evaluator, text_of};

/// The functions there are.
pub const FUNCTIONS: [&str; 14] = [
    "Condition",
    "Fn::And",
    "Fn::Base64",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::Join",
    "Fn::Not",
    "Fn::Or",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
    "Ref",
];

/// Conditions that `Fn::And` and `Fn::Or` take (CloudFormation).
const OPERANDS: std::ops::RangeInclusive<usize> = 2..=10;

impl Evaluator<'_, '_> {
    pub(super) fn call(
        &mut self,
        at: &Node,
        function: &str,
        argument: &Node,
    ) -> Result<Option<Value>, Error> {
        match function {
            "Ref" => {
                let name = argument.expect_text("Ref")?;
                self.reference(at, name)
            }
            "Condition" => self.condition(argument).map(|value| Some(value.into())),
            "Fn::GetAtt" => self.get_attribute(argument).map(Some),
            "Fn::Sub" => self.substitute(argument),
            "Fn::Join" => self.join(argument),
            "Fn::Split" => self.split(argument),
            "Fn::Select" => self.select(argument),
            "Fn::If" => {
                let [condition, yes, no] =
                    self.operands(argument, "Fn::If takes a condition's name and two values")?;
                let chosen = if self.condition(condition)? { yes } else { no };
                self.value(chosen)
            }
            "Fn::Equals" => {
                let [one, other] = self.operands(argument, "Fn::Equals takes two values")?;
                let (one, other) = (self.comparable(one)?, self.comparable(other)?);
                Ok(Some((one == other).into()))
            }
            "Fn::Not" => {
                let [one] = self.operands(argument, "Fn::Not takes a list of one condition")?;
                Ok(Some((!self.truth(one)?).into()))
            }
            "Fn::And" | "Fn::Or" => self.combine(argument, function),
            "Fn::FindInMap" => self.find(argument).map(Some),
            "Fn::Base64" => {
                let text = self.text(argument, "Fn::Base64")?;
                self.made(at, STANDARD.encode(text))
            }
            "Fn::ImportValue" => {
                Err(at
                    .error("Fn::ImportValue: stacks do not share values here; make it a parameter"))
            }
            _ => Err(at.error(format!("{function} is not supported"))),
        }
    }

    fn operands<'n, const N: usize>(
        &self,
        argument: &'n Node,
        words: &str,
    ) -> Result<[&'n Node; N], Error> {
        let items = argument.items().ok_or_else(|| argument.error(words))?;
        let items: Vec<&Node> = items.iter().collect();
        <[&Node; N]>::try_from(items).map_err(|_| argument.error(words))
    }

    /// A condition by its name.
    fn condition(&self, name: &Node) -> Result<bool, Error> {
        let text = name.expect_text("the name of a condition")?;
        let found = self.scope.conditions.get(text);
        found
            .copied()
            .ok_or_else(|| name.error(format!("there is no condition {text}")))
    }

    fn truth(&mut self, node: &Node) -> Result<bool, Error> {
        match self.value(node)? {
            Some(Value::Bool(value)) => Ok(value),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
            _ => Err(node.error("this must be a condition")),
        }
    }

    fn combine(&mut self, argument: &Node, function: &str) -> Result<Option<Value>, Error> {
        let items = argument.expect_list(function)?;
        if !OPERANDS.contains(&items.len()) {
            return Err(argument.error(format!("{function} takes two to ten conditions")));
        }
        let mut values = Vec::new();
        for item in items {
            values.push(self.truth(item)?);
        }
        let value = match function {
            "Fn::And" => values.iter().all(|value| *value),
            _ => values.iter().any(|value| *value),
        };
        Ok(Some(value.into()))
    }

    /// Scalars are compared by what they say, as in CloudFormation, where all are texts.
    fn comparable(&mut self, node: &Node) -> Result<Value, Error> {
        let value = self.value(node)?.unwrap_or(Value::Null);
        Ok(text_of(&value).map_or(value, Value::String))
    }

    fn text(&mut self, node: &Node, what: &str) -> Result<String, Error> {
        let value = self.value(node)?;
        value
            .as_ref()
            .and_then(text_of)
            .ok_or_else(|| node.error(format!("{what} takes a text here")))
    }

    fn list(&mut self, node: &Node, what: &str) -> Result<Vec<Value>, Error> {
        match self.value(node)? {
            Some(Value::Array(items)) => Ok(items),
            // What is not known yet may well become one.
            Some(value) if !self.later.is_empty() => Ok(vec![value]),
            _ => Err(node.error(format!("{what} takes a list here"))),
        }
    }

    fn get_attribute(&mut self, argument: &Node) -> Result<Value, Error> {
        let [name, attribute] =
            self.operands(argument, "Fn::GetAtt takes a resource and an attribute")?;
        let name = name.expect_text("the resource of Fn::GetAtt")?;
        let attribute = self.text(attribute, "Fn::GetAtt")?;
        self.attribute(argument, name, &attribute)
    }

    fn substitute(&mut self, argument: &Node) -> Result<Option<Value>, Error> {
        let (template, own) = match argument.items() {
            Some([template, own]) => (template, own.expect_map("the second of Fn::Sub")?),
            Some(_) => return Err(argument.error("Fn::Sub takes a text, or a text and a map")),
            None => (argument, [].as_slice()),
        };
        let mut values = BTreeMap::new();
        for entry in own {
            let value = self.text(&entry.value, "Fn::Sub")?;
            values.insert(entry.key.as_str(), value);
        }
        let text = template
            .scalar()
            .ok_or_else(|| template.error("Fn::Sub takes a text"))?;
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| template.error("Fn::Sub: a ${ without its }"))?;
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
                continue;
            }
            match values.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&self.named(template, name)?),
            }
        }
        out.push_str(rest);
        self.made(argument, out)
    }

    /// `${name}` or `${name.attribute}`.
    fn named(&mut self, at: &Node, name: &str) -> Result<String, Error> {
        let whole = self.scope.values.contains_key(name);
        let value = match name.split_once('.') {
            Some((resource, attribute)) if !whole => self.attribute(at, resource, attribute)?,
            _ => self
                .reference(at, name)?
                .ok_or_else(|| at.error("AWS::NoValue is not a string"))?,
        };
        if let Value::Array(items) = &value {
            let texts: Option<Vec<String>> = items.iter().map(text_of).collect();
            return texts
                .map(|texts| texts.join(","))
                .ok_or_else(|| at.error(format!("{name} is not a string")));
        }
        text_of(&value).ok_or_else(|| at.error(format!("{name} is not a string")))
    }

    fn join(&mut self, argument: &Node) -> Result<Option<Value>, Error> {
        let [delimiter, items] = self.operands(argument, "Fn::Join takes a text and a list")?;
        let delimiter = delimiter
            .scalar()
            .ok_or_else(|| delimiter.error("Fn::Join takes a text and a list"))?;
        let mut texts = Vec::new();
        for item in self.list(items, "Fn::Join")? {
            let text = text_of(&item);
            texts.push(text.ok_or_else(|| items.error("Fn::Join joins texts"))?);
        }
        self.made(argument, texts.join(&delimiter))
    }

    fn split(&mut self, argument: &Node) -> Result<Option<Value>, Error> {
        let [delimiter, text] = self.operands(argument, "Fn::Split takes two texts")?;
        let delimiter = delimiter.expect_text("the delimiter of Fn::Split")?;
        if delimiter.is_empty() {
            return Err(argument.error("Fn::Split needs a delimiter"));
        }
        let text = self.text(text, "Fn::Split")?;
        let parts = text.split(delimiter).map(Value::from);
        Ok(Some(Value::Array(parts.collect())))
    }

    fn select(&mut self, argument: &Node) -> Result<Option<Value>, Error> {
        let [index, items] = self.operands(argument, "Fn::Select takes a number and a list")?;
        let number: Option<usize> = self.text(index, "Fn::Select")?.parse().ok();
        let items = self.list(items, "Fn::Select")?;
        if !self.later.is_empty() {
            return Ok(items.into_iter().next());
        }
        let chosen = number.and_then(|number| items.into_iter().nth(number));
        chosen
            .map(Some)
            .ok_or_else(|| index.error("Fn::Select: the list has no such item"))
    }

    fn find(&mut self, argument: &Node) -> Result<Value, Error> {
        let [map, first, second] =
            self.operands(argument, "Fn::FindInMap takes a map's name and two keys")?;
        let mut path = Vec::new();
        for part in [map, first, second] {
            path.push(self.text(part, "Fn::FindInMap")?);
        }
        let found = path
            .iter()
            .try_fold(self.scope.mappings, |within, key| {
                within.and_then(|node| node.get(key)).map(Some)
            })
            .flatten();
        let found = found
            .cloned()
            .ok_or_else(|| argument.error(format!("Mappings has no {}", path.join("."))))?;
        self.value(&found)?
            .ok_or_else(|| argument.error("Mappings hold no AWS::NoValue"))
    }
}
