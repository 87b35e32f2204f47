//! The tokens of filter patterns.

use super::Error;

/// What ends a token, in addition to blanks, in terms: nothing.
pub(super) const TERMS: &str = "";
/// In conditions on JSON.
pub(super) const JSON: &str = "(){}=<>!&|";
/// In conditions on fields.
pub(super) const FIELDS: &str = "()[]=<>!&|,";

/// One token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// Between double quotes, which may hold `\"` and `\\`.
    Quoted(String),
    /// Between percent signs.
    Regex(String),
    /// A sign, or two: `(`, `&&`, `!=`.
    Sign(&'static str),
    /// Anything else.
    Word(String),
}

/// Longer ones first.
const SIGNS: [&str; 16] = [
    "&&", "||", "!=", "<=", ">=", "=", "<", ">", "(", ")", "{", "}", "[", "]", ",", "!",
];

/// Takes a pattern apart.
pub(super) struct Lexer<'t> {
    rest: &'t str,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { rest: text }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'t str {
        self.rest
    }

    /// The `-` or `?` before the next term; `None` if there is no term any more.
    pub(super) fn sign(&mut self) -> Option<Option<char>> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        if first == '-' || first == '?' {
            self.rest = &self.rest[1..];
            return Some(Some(first));
        }
        Some(None)
    }

    /// The next token; a sign is one of those in `ends`.
    pub(super) fn next(&mut self, ends: &str) -> Result<Option<Token>, Error> {
        self.rest = self.rest.trim_start();
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        match first {
            '"' => self.quoted().map(|text| Some(Token::Quoted(text))),
            '%' => self.regex().map(|text| Some(Token::Regex(text))),
            _ => Ok(Some(
                self.sign_in(ends)
                    .map_or_else(|| Token::Word(self.word(ends)), Token::Sign),
            )),
        }
    }

    /// The next token without taking it.
    pub(super) fn peek(&self, ends: &str) -> Result<Option<Token>, Error> {
        Self { rest: self.rest }.next(ends)
    }

    fn quoted(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err(Error::Syntax {
            why: "a quote is not closed",
        })
    }

    fn regex(&mut self) -> Result<String, Error> {
        let inside = &self.rest[1..];
        let end = inside.find('%').ok_or(Error::Syntax {
            why: "a regular expression is not closed",
        })?;
        self.rest = &inside[end + 1..];
        Ok(inside[..end].to_owned())
    }

    fn sign_in(&mut self, ends: &str) -> Option<&'static str> {
        let is_sign =
            |sign: &&&str| self.rest.starts_with(**sign) && sign.chars().all(|c| ends.contains(c));
        let sign = SIGNS.iter().find(is_sign)?;
        self.rest = &self.rest[sign.len()..];
        Some(sign)
    }

    fn word(&mut self, ends: &str) -> String {
        let end = |(at, c): (usize, char)| {
            (at > 0 && (c.is_whitespace() || ends.contains(c))).then_some(at)
        };
        let end = self.rest.char_indices().find_map(end);
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word.to_owned()
    }
}
