//! Filter patterns: which events match.
//!
//! ```text
//!   ERROR "exact phrase" -exclude        terms: all of the first kind, none of the second
//!   ?ERROR ?WARN                         any of them
//!   %4\d\d%                              a regular expression
//!   { $.level = "ERROR" && $.n > 3 }     events that are JSON            [`json`]
//!   [ip, user, ..., status=4*, bytes]    events of fields, with blanks   [`fields`]
//! ```
//!
//! Parsing a pattern takes time and memory in proportion to its length, and so does matching.

mod fields;
mod json;
mod lexer;
mod value;

use regex::{Regex, RegexBuilder};
use types::ForCallers;

use lexer::{Lexer, Token};

/// The most bytes of a compiled regular expression: patterns have 1 024 characters.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// Why a pattern is invalid.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Error {
    /// A term that needs quotes.
    #[error("Invalid character(s) in term '{term}'")]
    Term { term: String },
    /// An invalid regular expression.
    #[error("Invalid regular expression: {regex}")]
    Regex { regex: String },
    /// Anything else.
    #[error("Invalid filter pattern: {why}")]
    Syntax { why: &'static str },
}

impl ForCallers for Error {}

/// A filter pattern.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Every event.
    All,
    /// By what occurs in the text.
    Terms(Terms),
    /// By members of a JSON object.
    Json(json::Condition),
    /// By fields between blanks.
    Fields(fields::Fields),
}

/// What must, must not, or may occur.
#[derive(Debug, Default)]
pub(super) struct Terms {
    all: Vec<Term>,
    none: Vec<Term>,
    any: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Pattern {
    /// Reads a pattern.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        match text.chars().next() {
            None => Ok(Self::All),
            Some('{') => json::Condition::parse(text).map(Self::Json),
            Some('[') => fields::Fields::parse(text).map(Self::Fields),
            Some(_) => Terms::parse(text).map(Self::Terms),
        }
    }

    /// Whether an event's message matches.
    pub(super) fn matches(&self, message: &str) -> bool {
        match self {
            Self::All => true,
            Self::Terms(terms) => terms.matches(message),
            Self::Json(condition) => condition.matches_text(message),
            Self::Fields(fields) => fields.matches(message),
        }
    }
}

impl Terms {
    fn parse(text: &str) -> Result<Self, Error> {
        let mut terms = Self::default();
        let mut lexer = Lexer::new(text);
        while let Some(sign) = lexer.sign() {
            let list = match sign {
                Some('-') => &mut terms.none,
                Some(_) => &mut terms.any,
                None => &mut terms.all,
            };
            list.push(match lexer.next(lexer::TERMS)? {
                Some(Token::Quoted(text)) => Term::Text(text),
                Some(Token::Regex(regex)) => Term::Regex(compile(&regex)?),
                Some(Token::Word(word)) if is_plain(&word) => Term::Text(word),
                Some(Token::Word(term)) => return Err(Error::Term { term }),
                _ => {
                    return Err(Error::Syntax {
                        why: "a term is missing",
                    });
                }
            });
        }
        Ok(terms)
    }

    fn matches(&self, message: &str) -> bool {
        let is_in = |term: &Term| match term {
            Term::Text(text) => message.contains(text.as_str()),
            Term::Regex(regex) => regex.is_match(message),
        };
        // Next to required and excluded terms, optional ones have no effect.
        let any = match self.all.is_empty() && self.none.is_empty() {
            true => self.any.is_empty() || self.any.iter().any(is_in),
            false => true,
        };
        any && self.all.iter().all(is_in) && !self.none.iter().any(is_in)
    }
}

/// Whether a term may be written without quotes.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn compile(text: &str) -> Result<Regex, Error> {
    let built = RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|_| Error::Regex {
        regex: text.to_owned(),
    })
}

#[cfg(test)]
mod tests;
