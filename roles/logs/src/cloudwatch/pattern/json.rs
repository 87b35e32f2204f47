//! Conditions on events that are JSON: `{ ($.a = "x*" || $.b[0] >= 3) && $.c NOT EXISTS }`.

use serde_json::Value as Json;

use super::Error;
use super::lexer::{JSON, Lexer, Token};
use super::value::{Comparison, Value};

/// How deep parentheses may be nested.
const DEPTH_MAX: usize = 32;

/// What must hold for an event.
#[derive(Debug)]
pub(in super::super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Member(Vec<Step>, Test),
}

/// A step from a value to one inside of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) enum Step {
    Member(String),
    Element(usize),
    /// `[*]`: any of them.
    Each,
}

/// What must hold for a member.
#[derive(Debug)]
pub(in super::super) enum Test {
    Compare(Comparison, Value),
    True,
    False,
    Null,
    Exists(bool),
}

impl Condition {
    /// Reads `{ … }`.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let mut lexer = Lexer::new(text);
        expect(&mut lexer, "{")?;
        let condition = any(&mut lexer, 0)?;
        expect(&mut lexer, "}")?;
        match lexer.rest().trim().is_empty() {
            true => Ok(condition),
            false => Err(syntax("there is text after the closing brace")),
        }
    }

    /// Whether a message is JSON for which this holds.
    pub(super) fn matches_text(&self, message: &str) -> bool {
        let message = message.trim();
        if !message.starts_with(['{', '[']) {
            return false;
        }
        serde_json::from_str(message).is_ok_and(|event| self.matches(&event))
    }

    fn matches(&self, event: &Json) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|c| c.matches(event)),
            Self::Any(conditions) => conditions.iter().any(|c| c.matches(event)),
            Self::Member(steps, test) => {
                let mut found = Vec::new();
                select(event, steps, &mut found);
                match test {
                    Test::Exists(exists) => found.is_empty() != *exists,
                    test => found.into_iter().any(|value| test.holds(value)),
                }
            }
        }
    }
}

impl Test {
    fn holds(&self, value: &Json) -> bool {
        match self {
            Self::True => *value == Json::Bool(true),
            Self::False => *value == Json::Bool(false),
            Self::Null => value.is_null(),
            Self::Exists(exists) => *exists,
            Self::Compare(comparison, with) => match value {
                Json::String(text) => with.compare_text(text, *comparison),
                Json::Number(number) => {
                    let number = number.as_f64();
                    number.is_some_and(|number| with.compare_number(number, *comparison))
                }
                Json::Bool(word) => with.compare_text(&word.to_string(), *comparison),
                _ => false,
            },
        }
    }
}

/// All values that the steps lead to.
fn select<'j>(value: &'j Json, steps: &[Step], found: &mut Vec<&'j Json>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(value);
        return;
    };
    match step {
        Step::Member(name) => {
            if let Some(inner) = value.as_object().and_then(|object| object.get(name)) {
                select(inner, rest, found);
            }
        }
        Step::Element(index) => {
            if let Some(inner) = value.as_array().and_then(|array| array.get(*index)) {
                select(inner, rest, found);
            }
        }
        Step::Each => {
            for inner in value.as_array().into_iter().flatten() {
                select(inner, rest, found);
            }
        }
    }
}

fn any(lexer: &mut Lexer<'_>, depth: usize) -> Result<Condition, Error> {
    let mut conditions = vec![all(lexer, depth)?];
    while lexer.peek(JSON)? == Some(Token::Sign("||")) {
        lexer.next(JSON)?;
        conditions.push(all(lexer, depth)?);
    }
    Ok(Condition::Any(conditions))
}

fn all(lexer: &mut Lexer<'_>, depth: usize) -> Result<Condition, Error> {
    let mut conditions = vec![one(lexer, depth)?];
    while lexer.peek(JSON)? == Some(Token::Sign("&&")) {
        lexer.next(JSON)?;
        conditions.push(one(lexer, depth)?);
    }
    Ok(Condition::All(conditions))
}

fn one(lexer: &mut Lexer<'_>, depth: usize) -> Result<Condition, Error> {
    if depth > DEPTH_MAX {
        return Err(syntax("parentheses are nested too deep"));
    }
    match lexer.next(JSON)? {
        Some(Token::Sign("(")) => {
            let inner = any(lexer, depth + 1)?;
            expect(lexer, ")")?;
            Ok(inner)
        }
        Some(Token::Word(word)) => {
            let steps = steps(&word)?;
            Ok(Condition::Member(steps, test(lexer)?))
        }
        _ => Err(syntax("a member, $.name, is missing")),
    }
}

fn test(lexer: &mut Lexer<'_>) -> Result<Test, Error> {
    let word = match lexer.next(JSON)? {
        Some(Token::Sign(sign)) => {
            let comparison = Comparison::parse(sign).ok_or(syntax("a comparison is missing"))?;
            let value = Value::parse(lexer.next(JSON)?)?;
            value.check(comparison)?;
            return Ok(Test::Compare(comparison, value));
        }
        Some(Token::Word(word)) => word,
        _ => return Err(syntax("a comparison is missing")),
    };
    let next = match word.to_ascii_uppercase().as_str() {
        "EXISTS" => return Ok(Test::Exists(true)),
        "IS" | "NOT" => lexer.next(JSON)?,
        _ => return Err(syntax("a comparison is missing")),
    };
    let Some(Token::Word(next)) = next else {
        return Err(syntax("a keyword is missing after IS or NOT"));
    };
    match (
        word.to_ascii_uppercase().as_str(),
        next.to_ascii_uppercase().as_str(),
    ) {
        ("IS", "TRUE") => Ok(Test::True),
        ("IS", "FALSE") => Ok(Test::False),
        ("IS", "NULL") => Ok(Test::Null),
        ("NOT", "EXISTS") => Ok(Test::Exists(false)),
        _ => Err(syntax("IS wants TRUE, FALSE or NULL; NOT wants EXISTS")),
    }
}

/// Parses `$.a.b[0].c[*]` and `$['a b']`, whose brackets contain no blank.
fn steps(word: &str) -> Result<Vec<Step>, Error> {
    let mut rest = word
        .strip_prefix('$')
        .ok_or(syntax("a member begins with $"))?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (text, behind) = inside
                .split_once(']')
                .ok_or(syntax("a bracket is not closed"))?;
            let name = text
                .strip_prefix(['\'', '"'])
                .and_then(|text| text.strip_suffix(['\'', '"']));
            steps.push(match (name, text.parse()) {
                (Some(name), _) => Step::Member(name.to_owned()),
                (None, Ok(index)) => Step::Element(index),
                (None, Err(_)) if text == "*" => Step::Each,
                (None, Err(_)) => return Err(syntax("an index is not a number")),
            });
            rest = behind;
        } else if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            if end == 0 {
                return Err(syntax("a member has no name"));
            }
            steps.push(Step::Member(name[..end].to_owned()));
            rest = &name[end..];
        } else {
            return Err(syntax("a member begins with $."));
        }
    }
    Ok(steps)
}

fn expect(lexer: &mut Lexer<'_>, sign: &'static str) -> Result<(), Error> {
    match lexer.next(JSON)? {
        Some(Token::Sign(found)) if found == sign => Ok(()),
        _ => Err(syntax("braces or parentheses do not match")),
    }
}

const fn syntax(why: &'static str) -> Error {
    Error::Syntax { why }
}
