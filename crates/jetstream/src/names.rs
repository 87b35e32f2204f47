//! Keys as subjects. A subject is words between dots, and a word has few characters; the slashes of a key become
//! the dots, so that what begins with the same words can be asked for.
//!
//! ```text
//!   functions/a b//x   ◀─▶   functions.a=20b.=.x
//! ```

use std::fmt::Write as _;

/// A key as a subject.
pub(crate) fn subject(key: &str) -> String {
    let mut subject = String::with_capacity(key.len() + 8);
    for (number, word) in key.split('/').enumerate() {
        if number > 0 {
            subject.push('.');
        }
        if word.is_empty() {
            subject.push('=');
        }
        escape(word, &mut subject);
    }
    subject
}

/// A text as one word.
pub(crate) fn word(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 8);
    escape(text, &mut word);
    word
}

fn escape(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "={byte:02X}");
        }
    }
}

/// The key that became this subject; nothing if none does.
pub(crate) fn key(subject: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(subject.len());
    for (number, word) in subject.split('.').enumerate() {
        if number > 0 {
            bytes.push(b'/');
        }
        if word == "=" {
            continue;
        }
        let mut rest = word.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'=' => {
                    let digits = [rest.next()?, rest.next()?];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                }
                _ => bytes.push(byte),
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_a_subject_of_its_own_and_comes_back() {
        let keys = [
            "a",
            "a/b",
            "/",
            "//",
            "a//b",
            "a/",
            "/a",
            "=",
            "a=2F",
            "a b",
            "a.b",
            "*",
            ">",
            "ä",
            "\0",
            "a:b@c+d,e#f",
        ];
        let mut seen = std::collections::BTreeSet::new();
        for text in keys {
            let subject = subject(text);
            let plain = |word: &str| {
                let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_=".contains(&b);
                !word.is_empty() && word.bytes().all(fits)
            };
            assert!(subject.split('.').all(plain), "{subject}");
            assert_eq!(key(&subject).as_deref(), Some(text));
            assert!(seen.insert(subject));
        }
        assert_eq!(subject("functions/a b//x"), "functions.a=20b.=.x");
    }
}
