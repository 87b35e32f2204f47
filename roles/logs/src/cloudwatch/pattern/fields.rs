//! Conditions on fields between blanks: `[ip, user, ..., status=4* || status=5*, bytes > 1000]`.

use super::Error;
use super::lexer::{FIELDS, Lexer, Token};
use super::value::{Comparison, Value};

/// How many fields of a message are compared; patterns are shorter.
const FIELDS_MAX: usize = 1_024;

/// What fields there must be.
#[derive(Debug)]
pub(in super::super) struct Fields {
    before: Vec<Field>,
    /// With `...`: what follows the fields that may be any number.
    behind: Option<Vec<Field>>,
}

/// What must hold for a field: any of these, each all of its comparisons.
type Field = Vec<Vec<(Comparison, Value)>>;

impl Fields {
    /// Reads `[ … ]`.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let mut lexer = Lexer::new(text);
        let mut fields = Self {
            before: Vec::new(),
            behind: None,
        };
        expect(&mut lexer, "[")?;
        loop {
            if lexer.peek(FIELDS)? == Some(Token::Word("...".to_owned())) {
                lexer.next(FIELDS)?;
                if fields.behind.replace(Vec::new()).is_some() {
                    return Err(syntax("only one ... is allowed"));
                }
            } else {
                let field = field(&mut lexer)?;
                fields
                    .behind
                    .as_mut()
                    .unwrap_or(&mut fields.before)
                    .push(field);
            }
            match lexer.next(FIELDS)? {
                Some(Token::Sign(",")) => {}
                Some(Token::Sign("]")) => break,
                _ => return Err(syntax("a comma or a closing bracket is missing")),
            }
        }
        match lexer.rest().trim().is_empty() {
            true => Ok(fields),
            false => Err(syntax("there is text after the closing bracket")),
        }
    }

    /// Whether a message has such fields.
    pub(super) fn matches(&self, message: &str) -> bool {
        let told = split(message);
        let all = |fields: &[Field], told: &[&str]| {
            fields
                .iter()
                .zip(told)
                .all(|(field, told)| holds(field, told))
        };
        match &self.behind {
            None => told.len() == self.before.len() && all(&self.before, &told),
            Some(behind) => {
                told.len() >= self.before.len() + behind.len()
                    && all(&self.before, &told)
                    && all(behind, &told[told.len() - behind.len()..])
            }
        }
    }
}

fn holds(field: &Field, told: &str) -> bool {
    let compare = |(comparison, value): &(Comparison, Value)| value.compare_text(told, *comparison);
    field.is_empty() || field.iter().any(|all| all.iter().all(compare))
}

/// `name`, or comparisons of it: `name = a* && name != ab || name = c`.
fn field(lexer: &mut Lexer<'_>) -> Result<Field, Error> {
    let mut any: Field = Vec::new();
    let mut name = None;
    let mut begins = true;
    loop {
        let Some(Token::Word(word)) = lexer.next(FIELDS)? else {
            return Err(syntax("a field's name is missing"));
        };
        if *name.get_or_insert_with(|| word.clone()) != word {
            return Err(syntax("all conditions of a field must name that field"));
        }
        let comparison = match lexer.peek(FIELDS)? {
            Some(Token::Sign(sign)) => Comparison::parse(sign),
            _ => None,
        };
        let Some(comparison) = comparison else {
            // A name alone is any field.
            return match any.is_empty() {
                true => Ok(any),
                false => Err(syntax("a comparison is missing")),
            };
        };
        lexer.next(FIELDS)?;
        let value = Value::parse(lexer.next(FIELDS)?)?;
        value.check(comparison)?;
        match any.last_mut() {
            Some(all) if !begins => all.push((comparison, value)),
            _ => any.push(vec![(comparison, value)]),
        }
        begins = match lexer.peek(FIELDS)? {
            Some(Token::Sign("||")) => true,
            Some(Token::Sign("&&")) => false,
            _ => return Ok(any),
        };
        lexer.next(FIELDS)?;
    }
}

/// A message's fields: separated by blanks; text in quotes or brackets is one.
fn split(message: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = message.trim();
    while !rest.is_empty() && fields.len() < FIELDS_MAX {
        let closing = match rest.as_bytes()[0] {
            b'"' => Some('"'),
            b'[' => Some(']'),
            _ => None,
        };
        let enclosed = closing.and_then(|closing| rest[1..].split_once(closing));
        let (field, behind) = match enclosed {
            Some(parts) => parts,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        fields.push(field);
        rest = behind.trim_start();
    }
    fields
}

fn expect(lexer: &mut Lexer<'_>, sign: &'static str) -> Result<(), Error> {
    match lexer.next(FIELDS)? {
        Some(Token::Sign(found)) if found == sign => Ok(()),
        _ => Err(syntax("brackets do not match")),
    }
}

const fn syntax(why: &'static str) -> Error {
    Error::Syntax { why }
}
