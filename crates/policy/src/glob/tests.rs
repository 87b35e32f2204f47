//! What matches what.

use proptest::prelude::*;

use super::*;

/// More than any test needs.
fn plenty() -> Steps {
    Steps::new(u32::MAX)
}

fn check(pattern: &str, text: &str, reach: Reach) -> bool {
    let (pattern, context) = (Pattern::parse(pattern, true).unwrap(), Context::new());
    let filled = pattern.fill(&context);
    filled.is_some_and(|filled| matches(&filled, text, reach, &plenty()))
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
        ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ] {
        assert_eq!(
            check(pattern, action, Reach::AnyCase),
            expected,
            "{pattern}"
        );
    }
}

const F: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";
const DENIED: &str = "arn:aws:lambda:us-east-1:000000000000:function:denied";
const LIVE: &str = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
const OBJECT: &str = "arn:aws:s3:::bucket/1/test/object.jpg";

/// `Resource`: pattern, what it means, what it does not mean.
#[test]
fn a_resource_is_matched_as_the_iam_user_guide_says() {
    for (pattern, yes, no) in [
        // "Any combination of characters (*)", "any single character (?)" within a segment.
        (F, vec![F], vec![LIVE, DENIED]),
        ("arn:aws:lambda:us-*-1:*:function:f", vec![F], vec![LIVE]),
        (
            "arn:aws:lambda:us-east-?:*:function:?",
            vec![F],
            vec![LIVE, DENIED],
        ),
        (
            "arn:aws:lambda:us-east-1:0*0:function:f",
            vec![F],
            vec![LIVE],
        ),
        // "If the * wildcard is the last character of a resource ARN segment, it can expand to match
        // beyond the colon boundaries."
        ("*", vec![F, LIVE, OBJECT], vec![]),
        ("arn:*", vec![F, LIVE, OBJECT], vec![]),
        ("arn:aws:lambda:*", vec![F, LIVE], vec![OBJECT]),
        (
            "arn:aws:lambda:*:function:denied",
            vec![DENIED],
            vec![F, LIVE],
        ),
        ("arn:aws:lambda:us*:function:f", vec![F], vec![LIVE]),
        ("arn:aws:*:denied", vec![DENIED], vec![F]),
        ("arn:aws:*:f:live", vec![LIVE], vec![F]),
        ("arn:*:us-east-1:*:f:live", vec![LIVE], vec![F]),
        // A star that does not end its segment stays in it.
        ("arn:aws:l*1:000000000000:function:f", vec![], vec![F]),
        (
            "arn:aws:lambda:us*1:000000000000:function:f",
            vec![F],
            vec![],
        ),
        ("arn:aws:lambda:us-east-1:0*f", vec![], vec![F]),
        // "The asterisk (*) character can expand to replace everything within a segment", and the
        // sixth has the colons that the resource has.
        (
            "arn:aws:lambda:us-east-1:000000000000:f*denied",
            vec![DENIED],
            vec![F],
        ),
        (
            "arn:aws:lambda:us-east-1:000000000000:f*e",
            vec![LIVE],
            vec![F],
        ),
        (
            "arn:aws:lambda:us-east-1:000000000000:function?f",
            vec![F],
            vec![],
        ),
        (
            "arn:aws:lambda:us-east-1:000000000000:function:*",
            vec![F, LIVE],
            vec![],
        ),
        (
            "arn:aws:lambda:us-east-1:000000000000:function:f*",
            vec![F, LIVE],
            vec![DENIED],
        ),
        (
            "arn:aws:lambda:us-east-1:000000000000:function:f:*",
            vec![LIVE],
            vec![F],
        ),
        (
            "arn:aws:lambda:us-east-1:000000000000:function:*:live",
            vec![LIVE],
            vec![F],
        ),
        ("arn:aws:s3:::bucket/*/test/*", vec![OBJECT], vec![]),
        // Cases differ.
        (
            "arn:aws:lambda:us-east-1:000000000000:FUNCTION:f",
            vec![],
            vec![F],
        ),
    ] {
        for name in yes {
            assert!(check(pattern, name, Reach::Resource), "{pattern} {name}");
        }
        for name in no {
            assert!(!check(pattern, name, Reach::Resource), "{pattern} {name}");
        }
    }
}

/// `ArnLike` and its like.
#[test]
fn a_conditions_arn_is_matched_component_by_component() {
    for (pattern, yes, no) in [
        (F, vec![F], vec![LIVE, DENIED]),
        (
            "arn:aws:lambda:*:*:function:*",
            vec![F, LIVE, DENIED],
            vec![OBJECT],
        ),
        ("arn:aws:*:*:*:*", vec![F, LIVE, OBJECT], vec![]),
        ("arn:aws:s3:::bucket/*", vec![OBJECT], vec![F]),
        ("arn:aws:lambda:*:function:denied", vec![], vec![DENIED]),
        ("arn:aws:*:denied", vec![], vec![DENIED]),
        (
            "arn:aws:lambda:us-east-1:000000000000:f*live",
            vec![LIVE],
            vec![F],
        ),
        ("arn:aws:lambda:*", vec![F, LIVE], vec![OBJECT]),
        ("*", vec![F, OBJECT], vec![]),
    ] {
        for name in yes {
            assert!(check(pattern, name, Reach::Components), "{pattern} {name}");
        }
        for name in no {
            assert!(!check(pattern, name, Reach::Components), "{pattern} {name}");
        }
    }
}

#[test]
fn variables_are_filled_in_as_they_are() {
    let context = Context::new().with("aws:username", "a*b");
    let check = |text: &str, subject: &str| {
        let pattern = Pattern::parse(text, true).unwrap();
        let filled = pattern.fill(&context);
        filled.is_some_and(|filled| matches(&filled, subject, Reach::Text, &plenty()))
    };
    assert!(check("home/${aws:username}", "home/a*b"));
    assert!(!check("home/${aws:username}", "home/axb"));
    assert!(check("home/${AWS:UserName}/*", "home/a*b/c"));
    assert!(check("${*}${?}${$}", "*?$"));
    assert!(!check("${*}", "x"));
    assert!(!check("${aws:PrincipalTag/team}*", "x"), "unknown");
    assert!(check("${aws:PrincipalTag/team, 'none'}", "none"));
    assert!(check("${aws:x, ''}${aws:username}${aws:x, ''}", "a*b"));
    assert_eq!(Pattern::parse("${", true), Err(BadVariable));
    assert_eq!(Pattern::parse("${aws:x, y}", true), Err(BadVariable));
    let old = Pattern::parse("${aws:username}", false).unwrap();
    let old = old.fill(&context).unwrap();
    assert!(old.is("${aws:username}", &plenty()));
    assert_eq!(old.literal(15).as_deref(), Some("${aws:username}"));
    assert_eq!(old.literal(14), None);
}

#[test]
fn a_variable_named_a_thousand_times_costs_no_memory_for_its_value() {
    let text = "${aws:UserAgent}".repeat(1_000);
    let context = Context::new().with("aws:UserAgent", "a".repeat(1_000_000));
    let pattern = Pattern::parse(&text, true).unwrap();
    let filled = pattern.fill(&context).unwrap();
    let Filled::Spans(spans) = &filled else {
        panic!("it has variables");
    };
    assert!(spans.len() <= 1_000);
    let steps = Steps::new(10_000);
    assert!(!matches(&filled, &"a".repeat(100), Reach::Resource, &steps));
    assert!(steps.left() > 9_000, "{}", steps.left());
    assert!(!filled.is(&"a".repeat(100), &steps));
    assert_eq!(filled.literal(1_000), None);
}

#[test]
fn what_takes_too_many_steps_is_given_up() {
    let (stars, text) = ("*a".repeat(50) + "b", "a".repeat(2_000));
    let (pattern, context) = (Pattern::parse(&stars, true).unwrap(), Context::new());
    let filled = pattern.fill(&context).unwrap();
    let steps = Steps::new(1_000);
    assert!(!matches(&filled, &text, Reach::Text, &steps));
    assert!(steps.are_spent());
    let steps = Steps::new(2_000 * 101);
    assert!(!matches(&filled, &text, Reach::Text, &steps));
    assert!(!steps.are_spent(), "no more than text times pattern");
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

/// The same for ARNs: `left` colons of the text may still not be taken by a wildcard that does not
/// end its segment.
fn by_segments(pattern: &[char], text: &[char], left: usize, any_end: bool) -> bool {
    let rest = pattern.get(1..).unwrap_or_default();
    let after = |taken: &[char]| {
        left.saturating_sub(taken.iter().filter(|character| **character == ':').count())
    };
    match pattern.first() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|taken| {
            let (taken, others) = text.split_at(taken);
            let ends = rest.is_empty() || (any_end && rest[0] == ':');
            let colons = taken.iter().enumerate();
            let stopped = colons
                .filter(|(_, character)| **character == ':')
                .take(left);
            (ends || stopped.count() == 0) && by_segments(rest, others, after(taken), any_end)
        }),
        Some('?') => {
            !text.is_empty()
                && (text[0] != ':' || left == 0)
                && by_segments(rest, &text[1..], after(&text[..1]), any_end)
        }
        Some(one) => {
            text.first() == Some(one) && by_segments(rest, &text[1..], after(&text[..1]), any_end)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn matching_is_what_wildcards_mean(text in "[abä]{0,8}", wild in "[abä*?]{0,8}") {
        let (w, t): (Vec<char>, Vec<char>) = (wild.chars().collect(), text.chars().collect());
        prop_assert_eq!(check(&wild, &text, Reach::Text), plainly(&w, &t));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}", subject in "\\PC{0,40}") {
        let context = Context::new();
        if let Ok(pattern) = Pattern::parse(&text, true)
            && let Some(filled) = pattern.fill(&context)
        {
            for reach in [Reach::Text, Reach::AnyCase, Reach::Resource, Reach::Components] {
                matches(&filled, &subject, reach, &plenty());
            }
        }
    }
}

#[test]
fn fuzz_glob() {
    // Patterns are made of their text, so that many match.
    let wild = proptest::collection::vec((0..6_u8, 0..4_usize), 0..6);
    let input = ("[ab:]{0,6}(:[abä]{0,2}){0,7}", wild);
    fuzzing::run("glob", input, |(text, wild)| {
        let text: Vec<char> = text.chars().collect();
        let mut pattern = text.clone();
        for (kind, at) in wild {
            let from = (at * 3 + usize::from(kind)).min(pattern.len());
            let to = (from + at).min(pattern.len());
            let with = [
                &['*'][..],
                &['?'],
                &['*', ':'],
                &['*', 'a'],
                &[':'],
                &['*', '*'],
            ];
            pattern.splice(from..to, with[usize::from(kind)].iter().copied());
        }
        let wild: String = pattern.iter().collect();
        let whole: String = text.iter().collect();
        let found = check(&wild, &whole, Reach::Resource);
        prop_assert_eq!(
            found,
            by_segments(&pattern, &text, 5, true),
            "{} {}",
            wild,
            whole
        );
        let found = check(&wild, &whole, Reach::Components);
        prop_assert_eq!(
            found,
            by_segments(&pattern, &text, 5, false),
            "{} {}",
            wild,
            whole
        );
        Ok(())
    });
}
