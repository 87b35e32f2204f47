//! Texts with wildcards and variables: `*` any text, `?` any one character, `${key}` a value of
//! the request, `${key, 'default'}` that value or another, and `${*} ${?} ${$}` the characters
//! themselves.
//!
//! What a variable stands for is taken as it is: a `*` in a user's tag is a star and no wildcard. It is
//! matched where it stands, never copied: a policy that names a variable a thousand times costs no
//! memory for the request's value.

use std::cell::Cell;

use crate::context::Context;

/// A text of a policy, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Tokens(Vec<Token>),
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// One step of a match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    Byte(u8),
    /// Any one character.
    One,
    /// Any text.
    Any,
}

/// How a variable is spelt wrongly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadVariable;

/// How far wildcards reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// Everywhere.
    Text,
    /// Everywhere, and letters of ASCII are alike whatever their case: actions.
    AnyCase,
    /// `Resource`: "You can use wildcard characters (* and ?) within the individual segments of an ARN
    /// (the parts separated by colons) […] If the * wildcard is the last character of a resource ARN
    /// segment, it can expand to match beyond the colon boundaries." (IAM user guide, Resource). An ARN
    /// has six segments, the last with what colons it has.
    Resource,
    /// `ArnLike` and its like: "Each of the six colon-delimited components of the ARN is checked
    /// separately" (IAM user guide, condition operators). A star that ends the pattern stands for all
    /// components that the pattern leaves out.
    Components,
}

/// How many steps matching may still take. A step looks at one byte or wildcard.
pub(crate) struct Steps(Cell<u32>);

impl Steps {
    pub(crate) fn new(count: u32) -> Self {
        Self(Cell::new(count))
    }

    /// Takes that many; `false` if fewer are left, and then none is taken.
    pub(crate) fn take(&self, count: usize) -> bool {
        let left = u32::try_from(count)
            .ok()
            .and_then(|count| self.0.get().checked_sub(count));
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether there is none left: what was said of matches since then counts for nothing.
    pub(crate) fn are_spent(&self) -> bool {
        self.0.get() == 0
    }

    #[cfg(test)]
    pub(crate) fn left(&self) -> u32 {
        self.0.get()
    }
}

impl Pattern {
    /// Reads a text. `variables`: whether `${…}` means anything, which it does from version
    /// 2012-10-17 on.
    pub(crate) fn parse(text: &str, variables: bool) -> Result<Self, BadVariable> {
        let mut pieces = Vec::new();
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.bytes().next() {
            if variables && rest.starts_with("${") {
                let (inside, after) = rest[2..].split_once('}').ok_or(BadVariable)?;
                match inside {
                    "*" | "?" | "$" => tokens.extend(inside.bytes().map(Token::Byte)),
                    _ => {
                        pieces.push(Piece::Tokens(std::mem::take(&mut tokens)));
                        pieces.push(variable(inside)?);
                    }
                }
                rest = after;
                continue;
            }
            let (character, after) = rest.split_at(width(rest.as_bytes(), 0));
            match first {
                b'*' => tokens.push(Token::Any),
                b'?' => tokens.push(Token::One),
                _ => tokens.extend(character.bytes().map(Token::Byte)),
            }
            rest = after;
        }
        pieces.push(Piece::Tokens(tokens));
        Ok(Self(pieces))
    }

    /// With the request's values in the place of variables. `None` if one has no single value and
    /// no default: what cannot be filled in matches nothing.
    pub(crate) fn fill<'p>(&'p self, context: &'p Context) -> Option<Filled<'p>> {
        if let [Piece::Tokens(tokens)] = self.0.as_slice() {
            return Some(Filled::Plain(tokens));
        }
        let mut spans = Vec::with_capacity(self.0.len());
        for piece in &self.0 {
            let span = match piece {
                Piece::Tokens(tokens) => Span::Tokens(tokens),
                Piece::Variable { key, default } => {
                    let value = context.value(key).or(default.as_deref())?;
                    Span::Value(value.as_bytes())
                }
            };
            if span.len() > 0 {
                spans.push(span);
            }
        }
        Some(Filled::Spans(spans))
    }

    /// Whether it has a variable.
    pub(crate) fn has_variables(&self) -> bool {
        self.0.len() > 1
    }
}

/// A pattern for one request.
pub(crate) enum Filled<'p> {
    Plain(&'p [Token]),
    /// None of them empty.
    Spans(Vec<Span<'p>>),
}

/// A piece of it.
pub(crate) enum Span<'p> {
    Tokens(&'p [Token]),
    Value(&'p [u8]),
}

/// A place in a pattern.
#[derive(Clone, Copy, Default)]
struct Place {
    span: usize,
    at: usize,
}

impl Span<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.len(),
            Self::Value(bytes) => bytes.len(),
        }
    }

    fn token(&self, at: usize) -> Option<Token> {
        match self {
            Self::Tokens(tokens) => tokens.get(at).copied(),
            Self::Value(bytes) => bytes.get(at).copied().map(Token::Byte),
        }
    }
}

impl Filled<'_> {
    fn token(&self, place: Place) -> Option<Token> {
        match self {
            Self::Plain(tokens) => tokens.get(place.at).copied(),
            Self::Spans(spans) => spans.get(place.span)?.token(place.at),
        }
    }

    fn next(&self, place: Place) -> Place {
        let Place { span, at } = place;
        match self {
            Self::Spans(spans) if spans.get(span).is_some_and(|of| at + 1 >= of.len()) => Place {
                span: span + 1,
                at: 0,
            },
            _ => Place { span, at: at + 1 },
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Plain(tokens) => tokens.len(),
            Self::Spans(spans) => spans.iter().map(Span::len).sum(),
        }
    }

    /// Its bytes: for operators that know no wildcards, those are characters.
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let mut place = Place::default();
        std::iter::from_fn(move || {
            let token = self.token(place)?;
            place = self.next(place);
            Some(match token {
                Token::Byte(byte) => byte,
                Token::One => b'?',
                Token::Any => b'*',
            })
        })
    }

    /// Its text without wildcards, if it has at most `bytes_max` bytes.
    pub(crate) fn literal(&self, bytes_max: usize) -> Option<String> {
        if self.len() > bytes_max {
            return None;
        }
        String::from_utf8(self.bytes().collect()).ok()
    }

    /// Whether it is `*` and nothing else.
    pub(crate) fn is_everything(&self) -> bool {
        let first = Place::default();
        self.token(first) == Some(Token::Any) && self.token(self.next(first)).is_none()
    }

    /// Whether it begins with that text, wildcards being characters.
    pub(crate) fn starts_with(&self, text: &str) -> bool {
        self.bytes().take(text.len()).eq(text.bytes())
    }

    /// Whether it is that text, wildcards being characters.
    pub(crate) fn is(&self, text: &str, steps: &Steps) -> bool {
        self.len() == text.len() && steps.take(text.len()) && self.bytes().eq(text.bytes())
    }
}

fn variable(inside: &str) -> Result<Piece, BadVariable> {
    let (key, default) = match inside.split_once(',') {
        None => (inside.trim(), None),
        Some((key, default)) => {
            let default = default.trim().strip_prefix('\'');
            let default = default.and_then(|text| text.strip_suffix('\''));
            (key.trim(), Some(default.ok_or(BadVariable)?.to_owned()))
        }
    };
    let allowed = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte >= 0x80;
    if key.is_empty() || !key.contains(':') || !key.bytes().all(allowed) {
        return Err(BadVariable);
    }
    Ok(Piece::Variable {
        key: key.to_ascii_lowercase(),
        default,
    })
}

/// Whether the whole text matches.
///
/// Of the stars that reach over colons only the last one met is ever gone back to, and of those that do
/// not, the last one since: whatever an earlier one could take, a later one can.
pub(crate) fn matches(pattern: &Filled<'_>, text: &str, reach: Reach, steps: &Steps) -> bool {
    let text = text.as_bytes();
    // From where on colons no longer stop wildcards.
    let open = match reach {
        Reach::Text | Reach::AnyCase => 0,
        Reach::Resource | Reach::Components => last_part(text),
    };
    let is_free = |after: Option<Token>, at: usize| {
        at >= open
            || after.is_none()
            || (reach == Reach::Resource && after == Some(Token::Byte(b':')))
    };
    let takes = |at: usize| at >= open || text[at] != b':';
    // What follows a star, and how much of the text that has taken so far.
    let mut free: Option<(Place, usize)> = None;
    let mut bound: Option<(Place, usize)> = None;
    let (mut p, mut t) = (Place::default(), 0);
    while t < text.len() {
        if !steps.take(1) {
            return false;
        }
        let fits = match pattern.token(p) {
            Some(Token::Any) => {
                p = pattern.next(p);
                match is_free(pattern.token(p), t) {
                    true => (free, bound) = (Some((p, t)), None),
                    false => bound = Some((p, t)),
                }
                continue;
            }
            Some(Token::One) if takes(t) => width(text, t),
            Some(Token::Byte(byte)) if byte == text[t] => 1,
            Some(Token::Byte(byte))
                if reach == Reach::AnyCase && byte.eq_ignore_ascii_case(&text[t]) =>
            {
                1
            }
            _ => 0,
        };
        if fits > 0 {
            (p, t) = (pattern.next(p), t + fits);
            continue;
        }
        bound = bound.filter(|(_, taken)| takes(*taken));
        let Some((after, taken)) = bound.as_mut().or(free.as_mut()) else {
            return false;
        };
        *taken += width(text, *taken);
        (p, t) = (*after, *taken);
    }
    while let Some(Token::Any) = pattern.token(p) {
        p = pattern.next(p);
    }
    pattern.token(p).is_none()
}

/// Where the last of an ARN's six parts begins; the text's end if it has fewer.
fn last_part(text: &[u8]) -> usize {
    let colons = text.iter().enumerate().filter(|(_, byte)| **byte == b':');
    colons.map(|(at, _)| at + 1).nth(4).unwrap_or(text.len())
}

/// Bytes of the character that begins at `at`.
fn width(text: &[u8], at: usize) -> usize {
    let width = match text[at] {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
        _ => 1,
    };
    width.min(text.len() - at)
}

#[cfg(test)]
mod tests;
