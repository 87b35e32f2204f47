//! What policies mean, said so that one sees that it is right: no care for speed, and nothing of the crate's.

use serde_json::Value;

pub struct Request<'r> {
    pub action: &'r str,
    pub resource: &'r str,
    /// By keys in lower case.
    pub values: &'r [(String, Vec<String>)],
}

/// Whether the documents together deny (`Some(false)`), allow, or say nothing.
pub fn says(documents: &[Value], request: &Request<'_>) -> Option<bool> {
    let statements = documents
        .iter()
        .flat_map(|document| document["Statement"].as_array().unwrap());
    let applying: Vec<bool> = statements
        .filter(|statement| applies(statement, request))
        .map(|statement| statement["Effect"] == "Allow")
        .collect();
    match applying.contains(&false) {
        true => Some(false),
        false => applying.contains(&true).then_some(true),
    }
}

fn applies(statement: &Value, request: &Request<'_>) -> bool {
    let allow = statement["Effect"] == "Allow";
    let action = |pattern: &str| {
        let (pattern, action) = (pattern.to_lowercase(), request.action.to_lowercase());
        Some(like(&filled(&pattern, &[])?, &action))
    };
    let resource = |pattern: &str| {
        Some(like_arn(
            &filled(pattern, request.values)?,
            request.resource,
        ))
    };
    let mut conditions = statement["Condition"].as_object().unwrap().iter();
    means(statement, "Action", "NotAction", allow, action)
        && means(statement, "Resource", "NotResource", allow, resource)
        && conditions.all(|(operator, keys)| {
            let mut keys = keys.as_object().unwrap().iter();
            keys.all(|(key, wanted)| holds(operator, key, &texts(wanted), request, allow))
        })
}

fn means(
    statement: &Value,
    only: &str,
    but: &str,
    allow: bool,
    is_meant: impl Fn(&str) -> Option<bool>,
) -> bool {
    match (statement.get(only), statement.get(but)) {
        (None, Some(list)) => !texts(list)
            .iter()
            .any(|text| is_meant(text).unwrap_or(allow)),
        (Some(list), None) => texts(list).iter().any(|text| is_meant(text) == Some(true)),
        _ => unreachable!("one of both is there"),
    }
}

fn texts(value: &Value) -> Vec<String> {
    let text = |one: &Value| one.as_str().unwrap().to_owned();
    match value {
        Value::Array(list) => list.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

fn holds(operator: &str, key: &str, wanted: &[String], request: &Request<'_>, allow: bool) -> bool {
    let key = key.to_lowercase();
    let found = request.values.iter().find(|(known, _)| *known == key);
    let given: &[String] = found.map(|(_, given)| given.as_slice()).unwrap_or_default();
    if operator == "Null" {
        return wanted.contains(&given.is_empty().to_string());
    }
    let (quantifier, rest) = operator.split_once(':').unwrap_or(("", operator));
    let name = rest.trim_end_matches("IfExists");
    let negated = name.contains("Not");
    if given.is_empty() {
        return rest.ends_with("IfExists")
            || quantifier == "ForAllValues"
            || (quantifier.is_empty() && negated);
    }
    let fits = |given: &String| {
        let is_hit = |wanted: &String| match filled(wanted, request.values) {
            // No value for a variable: nothing is named, or everything is.
            None => negated && allow,
            Some(wanted) => match compared(name, given, &wanted) {
                Some(equal) => equal,
                // Not comparable: it allows nothing, and denies.
                None if negated => allow,
                None => !allow,
            },
        };
        wanted.iter().any(is_hit) != negated
    };
    match quantifier {
        "ForAllValues" => given.iter().all(fits),
        "ForAnyValue" => given.iter().any(fits),
        _ if negated => given.iter().all(fits),
        _ => given.iter().any(fits),
    }
}

/// Whether they are equal, or in the order that is asked for; `None` if that cannot be said.
fn compared(name: &str, given: &str, wanted: &[Step]) -> Option<bool> {
    let literal: String = wanted.iter().map(Step::character).collect();
    let number = |text: &str| text.parse::<f64>().ok();
    Some(match name {
        "StringEquals" | "StringNotEquals" => literal == given,
        "StringEqualsIgnoreCase" => literal.to_lowercase() == given.to_lowercase(),
        "StringLike" | "StringNotLike" => like(wanted, given),
        "NumericEquals" | "NumericNotEquals" => number(given)? == number(&literal)?,
        "NumericLessThan" => number(given)? < number(&literal)?,
        "Bool" => match given {
            "true" | "false" => given == literal,
            _ => return None,
        },
        "IpAddress" | "NotIpAddress" => {
            let given: std::net::Ipv4Addr = given.parse().ok()?;
            let (base, bits) = literal.split_once('/').unwrap_or((&literal, "32"));
            let base: std::net::Ipv4Addr = base.parse().unwrap();
            let bit = |address: std::net::Ipv4Addr, at: u32| address.to_bits() >> (31 - at) & 1;
            let bits: u32 = bits.parse().unwrap();
            (0..bits).all(|at| bit(given, at) == bit(base, at))
        }
        // All dates in use are the beginnings of years.
        "DateGreaterThan" => year(given)? > year(&literal)?,
        "DateNotEquals" => year(given)? == year(&literal)?,
        other => unreachable!("{other}"),
    })
}

fn year(text: &str) -> Option<u32> {
    let rest = text.get(4..)?;
    let is_date = rest.is_empty() || rest == "-01-01T00:00:00Z";
    text[..4].parse().ok().filter(|_| is_date)
}

/// A character, or a wildcard.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    Character(char),
    One,
    Any,
}

impl Step {
    fn character(&self) -> char {
        match self {
            Self::Character(character) => *character,
            Self::One => '?',
            Self::Any => '*',
        }
    }
}

/// A pattern with its variables filled in; `None` if one has no single value.
fn filled(pattern: &str, values: &[(String, Vec<String>)]) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("${") {
            let (inside, after) = after.split_once('}').unwrap();
            let (key, default) = inside.split_once(", ").unwrap_or((inside, ""));
            let found = values
                .iter()
                .find(|(known, _)| *known == key.to_lowercase());
            let value = match found.map(|(_, given)| given.as_slice()) {
                Some([value]) => value.as_str(),
                _ if default.is_empty() => return None,
                _ => default.trim_matches('\''),
            };
            steps.extend(value.chars().map(Step::Character));
            rest = after;
            continue;
        }
        steps.push(match character {
            '*' => Step::Any,
            '?' => Step::One,
            other => Step::Character(other),
        });
        rest = &rest[character.len_utf8()..];
    }
    Some(steps)
}

fn like(pattern: &[Step], text: &str) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((Step::Any, rest)) => ends(text).any(|end| like(rest, end)),
        Some((step, rest)) => text.chars().next().is_some_and(|first| {
            let fits = *step == Step::One || *step == Step::Character(first);
            fits && like(rest, &text[first.len_utf8()..])
        }),
    }
}

/// The same for ARNs: before the sixth part a wildcard takes no colon, but for a star that ends its
/// part.
fn like_arn(pattern: &[Step], arn: &str) -> bool {
    let mut colons = arn.match_indices(':');
    let open = colons.nth(4).map_or(arn.len(), |(at, _)| at + 1);
    like_arn_from(pattern, arn, 0, open)
}

fn like_arn_from(pattern: &[Step], arn: &str, at: usize, open: usize) -> bool {
    let text = &arn[at..];
    let goes_on = |rest, end: &str| like_arn_from(rest, arn, arn.len() - end.len(), open);
    let crosses = |end: &str| {
        let to = (arn.len() - end.len()).min(open).max(at);
        arn[at..to].contains(':')
    };
    match pattern.split_first() {
        None => text.is_empty(),
        Some((Step::Any, rest)) => {
            let is_last = matches!(rest.first(), None | Some(Step::Character(':')));
            ends(text).any(|end| (is_last || !crosses(end)) && goes_on(rest, end))
        }
        Some((step, rest)) => text.chars().next().is_some_and(|first| {
            let end = &text[first.len_utf8()..];
            let fits = match step {
                Step::One => !crosses(end),
                step => *step == Step::Character(first),
            };
            fits && goes_on(rest, end)
        }),
    }
}

/// A text, what is left of it without its first character, without two, and so on.
fn ends(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.map(move |at| &text[at..])
}
