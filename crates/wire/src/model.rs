//! The constraints that the public model puts on every request, checked before any operation
//! looks at it: what is required, lengths, bounds, patterns, closed sets.
//!
//! ```text
//!   lambda.json ─▶ shape ─▶ check(operation, path, query, body) ─▶ Violations ─▶ ValidationException
//!   iam.json …  ─▶ shape ─▶ check_form(service, action, form)   ─▶ Violations ─▶ ValidationError
//! ```
//!
//! The table is written by `tools/model` from the model that AWS's own clients bring, so no
//! operation can forget a constraint. Not here: constraints that ordinary functions have beyond
//! the model (10 240 MB, 900 s), which runtimes there are, and the operations whose body is not
//! JSON.

mod document;
mod form;
mod path;
mod shape;

use std::borrow::Cow;

use crate::error::ApiError;
use crate::rest::Match;
use crate::uri::query_pairs;
use crate::validation::Violations;

use document::Document;
pub use form::check_form;
use path::{decapitalised, joined};
use shape::{Kind, MODEL, Member, Place, Shape};

/// Refuses a request that breaks the model's constraints for its operation, and says all that is
/// wrong. Members of a wrong type are left to the code that reads them.
pub fn check(matched: &Match, query: Option<&str>, body: &[u8]) -> Result<(), ApiError> {
    let Some(input) = MODEL.input(matched.operation.name()) else {
        return Ok(());
    };
    let has_body = input
        .members
        .iter()
        .any(|member| member.place == Place::Body);
    let document = match has_body && !body.is_empty() {
        true => Document::parse(body)?,
        false => Document::Object(Vec::new()),
    };
    let mut violations = Violations::new();
    for member in &input.members {
        let found = match member.place {
            Place::Body => document.member(&member.name).map(Cow::Borrowed),
            Place::Path => in_path(matched, member).map(Cow::Owned),
            Place::Query => in_query(query, member).map(Cow::Owned),
        };
        check_member(&mut violations, "", member, found.as_deref());
    }
    violations.finish()
}

fn in_path<'d>(matched: &Match, member: &Member) -> Option<Document<'d>> {
    let text = matched.parameter(member.wire_name());
    Some(text_as(member, Cow::Owned(text.to_owned())))
}

fn in_query<'d>(query: Option<&str>, member: &Member) -> Option<Document<'d>> {
    let pairs = query_pairs(query.unwrap_or_default());
    let mut values = pairs
        .filter(|(name, _)| name == member.wire_name())
        .map(|(_, value)| Cow::Owned(value.into_owned()));
    let shape = member.shape();
    if shape.is_some_and(|shape| shape.kind == Kind::List) {
        let items: Vec<Document<'d>> = values.map(Document::Text).collect();
        return Some(Document::List(items)).filter(|_| query.is_some());
    }
    values.next().map(|value| text_as(member, value))
}

/// What a text stands for: outside of a body numbers are texts, too.
fn text_as<'d>(member: &Member, text: Cow<'d, str>) -> Document<'d> {
    let number = member.shape().is_some_and(Shape::is_number);
    match text.parse() {
        Ok(value) if number => Document::Number(value),
        _ => Document::Text(text),
    }
}

fn check_member(
    violations: &mut Violations,
    parent: &str,
    member: &Member,
    value: Option<&Document<'_>>,
) {
    let at = joined(parent, &decapitalised(&member.name));
    match value.filter(|value| !matches!(value, Document::Null)) {
        None if member.required => violations.required::<()>(&at, None),
        None => {}
        Some(value) => {
            if let Some(shape) = member.shape() {
                check_value(violations, &at, shape, value);
            }
        }
    }
}

fn check_value(violations: &mut Violations, at: &str, shape: &Shape, value: &Document<'_>) {
    for rule in shape.broken(value) {
        match shape.sensitive {
            true => violations.secret(at, &rule),
            false => violations.broken(value, at, &rule),
        }
    }
    match (shape.kind, value) {
        (Kind::Structure, Document::Object(_)) => {
            for member in &shape.members {
                check_member(violations, at, member, value.member(&member.name));
            }
        }
        (Kind::List, Document::List(items)) => check_items(violations, at, shape, items),
        (Kind::Map, Document::Object(_)) => check_entries(violations, at, shape, value),
        _ => {}
    }
}

/// Structures in a list are checked one by one; for anything else the list itself is reported.
fn check_items(violations: &mut Violations, at: &str, shape: &Shape, items: &[Document<'_>]) {
    let Some(inner) = shape.item() else { return };
    if inner.kind == Kind::Structure {
        for (number, item) in (1..).zip(items) {
            check_value(violations, &format!("{at}.{number}.member"), inner, item);
        }
    } else if !items.iter().all(|item| inner.holds(item)) {
        let rule = format!("Member must satisfy constraint: [{}]", inner.rules());
        violations.broken(shape::shown_list(items), at, &rule);
    }
}

fn check_entries(violations: &mut Violations, at: &str, shape: &Shape, value: &Document<'_>) {
    let Document::Object(entries) = value else {
        return;
    };
    let mut say = |what: &str, inner: &Shape| {
        let rule = format!("{what} must satisfy constraint: [{}]", inner.rules());
        match shape.sensitive || inner.sensitive {
            true => violations.secret(at, &rule),
            false => violations.broken(shape::shown_map(entries, inner), at, &rule),
        }
    };
    if let Some(key) = shape.key_shape() {
        let holds = |name: &str| key.holds(&Document::Text(Cow::Borrowed(name)));
        if !entries.iter().all(|(name, _)| holds(name)) {
            say("Map keys", key);
        }
    }
    if let Some(inner) = shape.value_shape()
        && !entries.iter().all(|(_, value)| inner.holds(value))
    {
        say("Map value", inner);
    }
}

#[cfg(test)]
mod tests;
