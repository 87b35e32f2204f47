//! Phrases that make a native speaker stop and guess, and what to write instead: mostly the word that AWS's
//! documentation has for it.
//!
//! Only prose is read: pages, comments and strings. Names in code are words joined by `_`, which match nothing here.

use crate::tidy::Finding;

/// A phrase in any case, and what to write instead.
const PHRASES: &[(&str, &str)] = &[
    ("made ahead", "provisioned"),
    ("make ahead", "provision"),
    ("ahead of invokes", "provisioned"),
    ("ahead of its invokes", "provisioned"),
    ("ready ahead", "provisioned"),
    (
        "told of",
        "`notified of`, `reported`, `logged`, or the destination that receives it",
    ),
    ("told anew", "reported again"),
    ("hears of", "`learns of`, `receives`, `is notified of`"),
    ("hear of", "`learn of`, `receive`, `be notified of`"),
    ("heard of", "`learnt of`, `received`, `acknowledged`"),
    (
        "is no more",
        "`has ended`, `was deleted`, `no longer exists`",
    ),
    (
        "are no more",
        "`have ended`, `were deleted`, `no longer exist`",
    ),
    ("was no more", "`had ended`, `was deleted`"),
    ("is not there", "`does not exist`, `is missing`"),
    ("are not there", "`do not exist`, `are missing`"),
    ("was not there", "`did not exist`, `was missing`"),
    ("were not there", "`did not exist`, `were missing`"),
    ("in line", "`queued`, `waiting`"),
    ("stands in line", "`is queued`, `waits`"),
    (
        "whoever",
        "who it is: the caller, the client, the operator, the next reader",
    ),
    ("looked at", "`checked`, `read`, `examined`, `inspected`"),
    ("without end", "`forever`, `indefinitely`, `never stops`"),
    (
        "beside",
        "`next to` for a place; else `in addition to`, `as well as`, `compared with`, `during`",
    ),
    ("aside", "`in a queue of its own`, `apart`, `reserved`"),
    ("anew", "`again`, `re-created`, `from scratch`"),
    ("upon", "on"),
    (
        "stands still",
        "`is frozen`, `is blocked`, `hangs`, `is stopped`",
    ),
    ("stand still", "`be frozen`, `be blocked`, `hang`, `stop`"),
    ("stood still", "`was frozen`, `was blocked`, `hung`"),
    ("stands ready", "`is kept ready`, `is pooled`"),
    ("stand ready", "`are kept ready`, `are pooled`"),
    ("so many", "the parameter's name, `at most N`, `that many`"),
    ("so long", "the parameter's name, `this long`, `how long …`"),
    ("done with", "`finished`, `unfinished`"),
    ("wished for", "`requested`, `configured`"),
    ("as ever", "`as usual`, `as before`"),
    ("all the same", "nevertheless"),
    ("goes on", "`continues`, `keeps …ing`"),
    ("went on", "continued"),
    ("for good", "`finally`, `permanently`"),
    ("good for", "`valid for`, `usable for`"),
    ("for want of", "for lack of"),
    ("held against", "`checked against`, `compared with`"),
    ("gives way", "`is closed`, `is cut off`, `yields`"),
    ("give way", "`be closed`, `be cut off`, `yield`"),
    ("gave way", "`was closed`, `was cut off`, `yielded`"),
    ("broken off", "`closed`, `cut off`"),
    ("taken for", "`mistaken for`, `treated as`"),
    ("takes for", "`mistakes for`, `treats as`"),
    ("let in", "`accepted`, `allowed`"),
    ("lets in", "`accepts`, `allows`"),
    ("let loose", "`released`, `lent`"),
    ("asked of", "`requested from`, `checked on`"),
    ("speaks of", "`describes`, `mentions`, `names`"),
    ("speak of", "`describe`, `mention`, `name`"),
    ("goes by", "`is sent over`, `passes through`, `follows`"),
    ("go by", "`be sent over`, `pass through`, `follow`"),
    ("be had", "`be available`, `be obtained`"),
    ("at its word", "trusted"),
    ("in circles", "in a recursive loop"),
];
/// After these a phrase is another one: no more than, so long as.
const NOT_BEFORE: [&str; 3] = ["than", "of", "as"];
/// This table; and what AWS's services answer, which has their words.
const EXEMPT: [&str; 2] = ["xtask/src/tidy/phrases.rs", "tests/aws_facts/"];

/// Checks one text file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    if EXEMPT.iter().any(|start| path.starts_with(start)) || path.ends_with("lock") {
        return Vec::new();
    }
    let lines: Vec<String> = text.lines().map(|line| prose(path, line)).collect();
    let mut findings = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        // A phrase may end on the next line.
        let next = lines.get(at + 1).map_or("", String::as_str);
        let both = format!("{line} {next}");
        for (phrase, instead) in PHRASES {
            if starts(&both, phrase).any(|start| start < line.len()) {
                let rule = format!("`{phrase}`: write {instead}");
                findings.push(Finding::new(path, at + 1, rule));
            }
        }
    }
    findings
}

/// The part of a line that people read, in lower case and without the marks of a comment.
fn prose(path: &str, line: &str) -> String {
    let ending = path.rsplit('.').next().unwrap_or_default();
    let marks: &[&str] = match ending {
        "md" => &[""],
        "rs" => &["//", "\""],
        "java" | "js" | "cjs" | "mjs" | "go" => &["//", "/*", "\"", "'"],
        _ => &["#", "\"\"\""],
    };
    let from = marks.iter().filter_map(|mark| line.find(mark)).min();
    let trimmed = line.trim_start();
    // Further lines of a comment or a docstring.
    let goes_on = trimmed.starts_with("* ")
        || ending == "py" && trimmed.starts_with(|first: char| first.is_ascii_uppercase());
    let text = match from {
        Some(from) => &line[from..],
        None if goes_on => trimmed,
        None => "",
    };
    let text = text.trim_start_matches(['/', '!', '#', '*', ' ']);
    text.trim_end().to_ascii_lowercase()
}

/// Where a phrase begins in a text, as whole words.
fn starts<'t>(text: &'t str, phrase: &'t str) -> impl Iterator<Item = usize> + 't {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(phrase)
        .filter(move |(start, _)| {
            let (before, after) = (&text[..*start], &text[start + phrase.len()..]);
            let whole = !before.ends_with(letter) && !after.starts_with(letter);
            let next = after.split_whitespace().next().unwrap_or_default();
            whole && !(after.starts_with(' ') && NOT_BEFORE.contains(&next))
        })
        .map(|(start, _)| start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        let findings = check(path, text).into_iter();
        findings.map(|finding| finding.line).collect()
    }

    #[test]
    fn a_phrase_is_found_in_prose_in_any_case_and_over_a_line_break() {
        let text = "//! Told of it.\nfn a() {} // and whoever asks\nlet b = \"it is looked\";\n/// it is looked\n/// at twice\n";
        assert_eq!(found("a.rs", text), [1, 2, 4]);
        assert_eq!(found("a.md", "one\nit stands\nstill\n"), [2]);
        assert_eq!(
            found("a.py", "# beside it\n\"\"\"Made anew.\"\"\"\n"),
            [1, 2]
        );
    }

    #[test]
    fn names_in_code_and_other_phrases_are_left_alone() {
        let text = "fn whoever_asks() { beside.anew() }\nlet line = \"a bystander\"; // offline, besides\n";
        assert!(found("a.rs", text).is_empty());
        assert!(found("a.py", "if x in line:\n").is_empty());
        assert!(found("a.md", "it is no more than that, so long as it lasts\n").is_empty());
    }

    #[test]
    fn the_message_says_what_to_write() {
        let rule = &check("a.md", "put upon it\n")[0].rule;
        assert_eq!(rule, "`upon`: write on");
        assert!(check("tests/aws_facts/a.md", "put upon it\n").is_empty());
    }
}
