//! Texts with wildcards and variables: `*` any text, `?` any one character, `${key}` a value of
//! the request, `${key, 'default'}` that value or another, and `${*} ${?} ${$}` the characters
//! themselves.
//!
//! What a variable stands for is taken as it is: a `*` in a user's tag is a star and no wildcard.

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
    pub(crate) fn expand(&self, context: &Context) -> Option<Tokens<'_>> {
        if let [Piece::Tokens(tokens)] = self.0.as_slice() {
            return Some(Tokens::Borrowed(tokens));
        }
        let mut all = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Tokens(tokens) => all.extend_from_slice(tokens),
                Piece::Variable { key, default } => {
                    let value = context.value(key).or(default.as_deref())?;
                    all.extend(value.bytes().map(Token::Byte));
                }
            }
        }
        Some(Tokens::Owned(all))
    }

    /// Whether it is `*` and nothing else.
    pub(crate) fn is_everything(&self) -> bool {
        matches!(self.0.as_slice(), [Piece::Tokens(tokens)] if tokens == &[Token::Any])
    }
}

/// A pattern's steps for one request.
pub(crate) enum Tokens<'p> {
    Borrowed(&'p [Token]),
    Owned(Vec<Token>),
}

impl std::ops::Deref for Tokens<'_> {
    type Target = [Token];
    fn deref(&self) -> &[Token] {
        match self {
            Self::Borrowed(tokens) => tokens,
            Self::Owned(tokens) => tokens,
        }
    }
}

impl Tokens<'_> {
    /// Its text, if it has no wildcards: for operators that know none, wildcards are characters.
    pub(crate) fn literal(&self) -> Vec<u8> {
        self.iter()
            .map(|token| match token {
                Token::Byte(byte) => *byte,
                Token::One => b'?',
                Token::Any => b'*',
            })
            .collect()
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
pub(crate) fn matches(pattern: &[Token], text: &str, any_case: bool) -> bool {
    let text = text.as_bytes();
    // Where to go back to: the last star, and how much of the text it has taken so far.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        let fits = match pattern.get(p) {
            Some(Token::Any) => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(Token::One) => width(text, t),
            Some(Token::Byte(byte)) if *byte == text[t] => 1,
            Some(Token::Byte(byte)) if any_case && byte.eq_ignore_ascii_case(&text[t]) => 1,
            _ => 0,
        };
        match (fits, star) {
            (0, None) => return false,
            (0, Some((at, taken))) => {
                let taken = taken + width(text, taken);
                star = Some((at, taken));
                (p, t) = (at + 1, taken);
            }
            (width, _) => {
                p += 1;
                t += width;
            }
        }
    }
    pattern[p..].iter().all(|token| *token == Token::Any)
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

/// Whether an ARN matches part by part, parts being what colons separate: a wildcard does not
/// reach over a colon, but for a star at the very end.
pub(crate) fn matches_arn(pattern: &[Token], arn: &str, parts_max: usize) -> bool {
    if pattern == [Token::Any] {
        return true;
    }
    let is_colon = |token: &Token| *token == Token::Byte(b':');
    let wanted: Vec<&[Token]> = pattern.splitn(parts_max, is_colon).collect();
    let open_end = wanted.last().and_then(|part| part.last()) == Some(&Token::Any);
    let limit = if open_end { wanted.len() } else { parts_max };
    let given: Vec<&str> = arn.splitn(limit, ':').collect();
    wanted.len() == given.len()
        && wanted
            .iter()
            .zip(&given)
            .all(|(pattern, part)| matches(pattern, part, false))
}

/// Whether `action` is one that `pattern` speaks of; case makes no difference.
pub fn matches_action(pattern: &str, action: &str) -> bool {
    let tokens: Vec<Token> = pattern
        .bytes()
        .map(|byte| match byte {
            b'*' => Token::Any,
            b'?' => Token::One,
            byte => Token::Byte(byte),
        })
        .collect();
    matches(&tokens, action, true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str, context: &Context) -> Option<Vec<Token>> {
        let pattern = Pattern::parse(text, true).unwrap();
        pattern.expand(context).map(|tokens| tokens.to_vec())
    }

    fn arn(text: &str, arn: &str) -> bool {
        matches_arn(&pattern(text, &Context::new()).unwrap(), arn, usize::MAX)
    }

    #[test]
    fn actions_match_whatever_their_case() {
        for (pattern, action, expected) in [
            ("lambda:InvokeFunction", "lambda:InvokeFunction", true),
            ("lambda:invokefunction", "lambda:InvokeFunction", true),
            ("lambda:Invoke*", "lambda:InvokeFunction", true),
            ("lambda:*Function", "lambda:InvokeFunction", true),
            ("*", "lambda:InvokeFunction", true),
            ("lambda:Get?unction", "lambda:GetFunction", true),
            ("lambda:Get", "lambda:GetFunction", false),
            ("lambda:*Alias", "lambda:InvokeFunction", false),
            ("", "lambda:InvokeFunction", false),
            ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches_action(pattern, action), expected, "{pattern}");
        }
    }

    #[test]
    fn a_wildcard_stays_within_its_part_of_an_arn() {
        let f = "arn:aws:lambda:us-east-1:000000000000:function:f";
        let live = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
        for (pattern, yes, no) in [
            ("*", vec![f, live], vec![]),
            (f, vec![f], vec![live]),
            ("arn:aws:lambda:*:*:function:f", vec![f], vec![live]),
            (
                "arn:aws:lambda:us-east-1:000000000000:function:*",
                vec![f, live],
                vec![],
            ),
            (
                "arn:aws:lambda:us-east-1:000000000000:function:f*",
                vec![f, live],
                vec![],
            ),
            (
                "arn:aws:lambda:us-east-1:000000000000:function:f:*",
                vec![live],
                vec![f],
            ),
            (
                "arn:aws:lambda:us-east-1:000000000000:function:*:live",
                vec![live],
                vec![f],
            ),
            ("arn:aws:lambda:*", vec![f, live], vec![]),
            ("arn:aws:*:f", vec![], vec![f, live]),
            ("arn:aws:*:function:f", vec![], vec![f]),
            ("arn:aws:lambda:us-east-?:*:function:?", vec![f], vec![live]),
            ("*:f", vec![], vec![f]),
            (
                "arn:aws:lambda:us-east-1:000000000000:FUNCTION:f",
                vec![],
                vec![f],
            ),
        ] {
            for name in yes {
                assert!(arn(pattern, name), "{pattern} {name}");
            }
            for name in no {
                assert!(!arn(pattern, name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn variables_are_filled_in_as_they_are() {
        let context = Context::new().with("aws:username", "a*b");
        let check = |text: &str, subject: &str| {
            pattern(text, &context).is_some_and(|tokens| matches(&tokens, subject, false))
        };
        assert!(check("home/${aws:username}", "home/a*b"));
        assert!(!check("home/${aws:username}", "home/axb"));
        assert!(check("home/${AWS:UserName}/*", "home/a*b/c"));
        assert!(check("${*}${?}${$}", "*?$"));
        assert!(!check("${*}", "x"));
        assert!(!check("${aws:PrincipalTag/team}*", "x"), "unknown");
        assert!(check("${aws:PrincipalTag/team, 'none'}", "none"));
        assert_eq!(Pattern::parse("${", true), Err(BadVariable));
        assert_eq!(Pattern::parse("${aws:x, y}", true), Err(BadVariable));
        let old = Pattern::parse("${aws:username}", false).unwrap();
        let old = old.expand(&context).unwrap();
        assert!(matches(&old, "${aws:username}", false));
    }

    /// What wildcards mean, said in the plainest way.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| plainly(rest, &text[taken..])),
            Some(('?', rest)) => !text.is_empty() && plainly(rest, &text[1..]),
            Some((one, rest)) => text.first() == Some(one) && plainly(rest, &text[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn matching_is_what_wildcards_mean(text in "[abä]{0,8}", wild in "[abä*?]{0,8}") {
            let tokens = pattern(&wild, &Context::new()).unwrap();
            let (w, t): (Vec<char>, Vec<char>) = (wild.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&tokens, &text, false), plainly(&w, &t));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", subject in "\\PC{0,40}") {
            if let Ok(pattern) = Pattern::parse(&text, true)
                && let Some(tokens) = pattern.expand(&Context::new())
            {
                matches(&tokens, &subject, true);
                matches_arn(&tokens, &subject, 6);
            }
        }
    }
}
