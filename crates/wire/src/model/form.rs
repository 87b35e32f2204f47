//! The same constraints for services that are asked by a form: lists are numbered, structures
//! dotted.
//!
//! ```text
//!   Tags.member.1.Key=team & Tags.member.1.Value=a      tags: [{key: team, value: a}]
//! ```

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::document::Document;
use super::shape::{Kind, MODEL, Shape};
use super::{check_member, text_as};
use crate::query::{Query, QueryError};
use crate::validation::Violations;

/// Parameters by their names; of two of one name the first counts.
type Form<'q> = BTreeMap<&'q str, &'q str>;

/// Refuses a form that breaks the constraints of `service`'s model for its action, and says all
/// that is wrong. What the model does not know is let through.
pub fn check_form(service: &str, query: &Query) -> Result<(), QueryError> {
    let Some(input) = MODEL.input(&format!("{service}:{}", query.action)) else {
        return Ok(());
    };
    let mut form = Form::new();
    for (name, value) in &query.parameters {
        form.entry(name).or_insert(value);
    }
    let mut violations = Violations::new();
    for member in &input.members {
        let found = match member.shape() {
            None => form.get(member.name.as_str()).map(|text| whole(text)),
            Some(shape) if shape.is_number() => form
                .get(member.name.as_str())
                .map(|text| text_as(member, Cow::Borrowed(text))),
            Some(shape) => read(&form, &member.name, shape),
        };
        check_member(&mut violations, "", member, found.as_ref());
    }
    let refused = violations.finish();
    refused.map_err(|error| QueryError::validation(error.message))
}

/// What a form has under a name.
fn read<'q>(form: &Form<'q>, name: &str, shape: &Shape) -> Option<Document<'q>> {
    match shape.kind {
        Kind::List => read_list(form, name, shape),
        Kind::Structure => {
            let inner = format!("{name}.");
            below(form, &inner).next()?;
            let members = shape.members.iter().filter_map(|member| {
                let at = format!("{inner}{}", member.name);
                let value = match member.shape() {
                    Some(shape) => read(form, &at, shape),
                    None => form.get(at.as_str()).map(|text| whole(text)),
                };
                Some((Cow::Owned(member.name.clone()), value?))
            });
            Some(Document::Object(members.collect()))
        }
        _ => form.get(name).map(|text| whole(text)),
    }
}

/// Items by their numbers. An empty list is its name alone.
fn read_list<'q>(form: &Form<'q>, name: &str, shape: &Shape) -> Option<Document<'q>> {
    let inner = format!("{name}.member.");
    let numbers = below(form, &inner).filter_map(|rest| {
        let number = rest.split('.').next().unwrap_or(rest);
        number.parse::<u32>().ok()
    });
    let numbers: BTreeSet<u32> = numbers.collect();
    if numbers.is_empty() {
        return form.get(name).map(|_| Document::List(Vec::new()));
    }
    let items = numbers.iter().map(|number| {
        let at = format!("{inner}{number}");
        let item = match shape.item() {
            Some(item) => read(form, &at, item),
            None => form.get(at.as_str()).map(|text| whole(text)),
        };
        item.unwrap_or(Document::Null)
    });
    Some(Document::List(items.collect()))
}

/// What follows `prefix` in the names that begin with it.
fn below<'f>(form: &'f Form<'_>, prefix: &'f str) -> impl Iterator<Item = &'f str> {
    let names = form.range(prefix..).map(|(name, _)| *name);
    names.map_while(move |name| name.strip_prefix(prefix))
}

fn whole<'q>(text: &'q str) -> Document<'q> {
    Document::Text(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parameters: &[(&str, &str)]) -> Result<(), String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let action = parameters[0].1.to_owned();
        let parameters = parameters.iter().map(own).collect();
        check_form("iam", &Query { action, parameters }).map_err(|error| error.message)
    }

    #[test]
    fn refusals_have_the_services_words() {
        assert_eq!(
            check(&[("Action", "CreateUser")]).unwrap_err(),
            "1 validation error detected: Value null at 'userName' failed to satisfy constraint: \
             Member must not be null"
        );
        let items = check(&[("Action", "ListUsers"), ("MaxItems", "1001")]).unwrap_err();
        assert!(items.contains("Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000"));
        let long = "x".repeat(65);
        let long = check(&[("Action", "CreateUser"), ("UserName", &long)]).unwrap_err();
        assert!(long.contains("at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64"));
    }

    #[test]
    fn lists_and_structures_are_looked_into() {
        let action = ("Action", "TagUser");
        let user = ("UserName", "ann");
        let one = |key, value| {
            check(&[
                action,
                user,
                ("Tags.member.1.Key", key),
                ("Tags.member.1.Value", value),
            ])
        };
        assert_eq!(one("team", "ä/b"), Ok(()));
        assert!(one("", "x").unwrap_err().contains("at 'tags.1.member.key'"));
        assert!(one("a!", "x").unwrap_err().contains("regular expression"));
        let none = check(&[action, user, ("Tags.member.1.Key", "team")]);
        assert!(none.unwrap_err().contains("at 'tags.1.member.value'"));
        assert!(check(&[action, user]).unwrap_err().contains("'tags'"));
        let long = "v".repeat(257);
        assert!(one("k", &long).unwrap_err().contains("to 256"));
        let set = check(&[
            ("Action", "UpdateAccessKey"),
            ("AccessKeyId", "AKIAIOSFODNN7EXAMPLE"),
            ("Status", "On"),
        ]);
        assert!(set.unwrap_err().contains("enum value set: [Active,"));
    }

    #[test]
    fn hostile_forms_are_read_without_harm() {
        let names = [
            "Tags.member.",
            "Tags.member.99999999999.Key",
            "Tags.member.-1.Key",
            "Tags.member.1",
            "Tags..",
            "Tags.member.1.Key.member.1",
            "",
        ];
        for name in names {
            let _ = check(&[("Action", "TagUser"), ("UserName", "ann"), (name, "\u{0}")]);
        }
        let names: Vec<String> = (0..20_000)
            .map(|n| format!("Tags.member.{n}.Key"))
            .collect();
        let mut many = vec![("Action", "TagUser"), ("UserName", "ann")];
        many.extend(names.iter().map(|name| (name.as_str(), "k")));
        assert!(check(&many).is_err());
    }
}
