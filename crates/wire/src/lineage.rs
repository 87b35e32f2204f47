//! How often an event has passed through each function on its way: the part `Lineage` of
//! `X-Amzn-Trace-Id`, by which loops are found.
//!
//! ```text
//!   Root=1-…;Parent=…;Sampled=0;Lineage=a87bd80c:1|68fd508a:5
//!                                       └ function: its passes
//! ```
//!
//! Functions hand the header on with their own calls to AWS, their SDKs do so unasked; the service hands
//! it on to destinations. A caller that leaves it out starts a new one.

use types::{FunctionArn, fnv};

/// Passes through one function that are allowed (AWS: about 16).
pub const PASSES_MAX: u32 = 16;
/// Functions that are remembered; beyond it the one passed longest ago is forgotten.
const FUNCTIONS_MAX: usize = 16;

/// The header `trace` after one more pass through a function, and how many passes that makes.
/// The qualifier makes no difference.
pub fn pass(trace: &str, function: &FunctionArn) -> (String, u32) {
    let mut passes = read(trace);
    let id = id(function);
    let before = passes.iter().position(|(known, _)| *known == id);
    let count = before.map_or(0, |at| passes.remove(at).1).saturating_add(1);
    passes.push((id, count));
    if passes.len() > FUNCTIONS_MAX {
        passes.remove(0);
    }
    let lineage: Vec<String> = passes
        .iter()
        .map(|(id, count)| format!("{id:08x}:{count}"))
        .collect();
    let rest = trace.split(';').filter(|part| lineage_of(part).is_none());
    let mut parts: Vec<&str> = rest.filter(|part| !part.is_empty()).collect();
    let lineage = format!("Lineage={}", lineage.join("|"));
    parts.push(&lineage);
    (parts.join(";"), count)
}

/// The part of a header that is taken over from a caller, if there is one and it is well formed.
pub fn part(trace: &str) -> Option<String> {
    let passes = read(trace);
    let texts: Vec<String> = passes
        .iter()
        .map(|(id, count)| format!("{id:08x}:{count}"))
        .collect();
    (!texts.is_empty()).then(|| format!("Lineage={}", texts.join("|")))
}

fn read(trace: &str) -> Vec<(u32, u32)> {
    let lineage = trace.split(';').find_map(lineage_of).unwrap_or_default();
    let passes = lineage.split('|').filter_map(|pass| {
        let (id, count) = pass.split_once(':')?;
        let exact = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        (exact && digits).then_some(())?;
        Some((u32::from_str_radix(id, 16).ok()?, count.parse().ok()?))
    });
    passes.take(FUNCTIONS_MAX).collect()
}

fn lineage_of(part: &str) -> Option<&str> {
    part.trim().strip_prefix("Lineage=")
}

/// A hash of the unqualified ARN.
fn id(function: &FunctionArn) -> u32 {
    let arn = FunctionArn {
        qualifier: None,
        ..function.clone()
    };
    fnv::hash_32(&[arn.to_string().as_bytes()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::{AccountId, FunctionName, Qualifier, Region, Scope};

    use super::*;

    fn function(name: &str) -> FunctionArn {
        FunctionArn {
            scope: Scope {
                account: AccountId::new("000000000000").unwrap(),
                region: Region::new("us-east-1").unwrap(),
            },
            name: FunctionName::new(name).unwrap(),
            qualifier: None,
        }
    }

    #[test]
    fn passes_are_counted_for_each_function() {
        let (f, g) = (function("f"), function("g"));
        let mut trace = "Root=1-x;Sampled=0".to_owned();
        for round in 1..=20 {
            let (next, count) = pass(&trace, &f);
            assert_eq!(count, round);
            let (next, count) = pass(&next, &g.qualified(Qualifier::parse("live").unwrap()));
            assert_eq!(count, round);
            trace = next;
        }
        assert!(trace.starts_with("Root=1-x;Sampled=0;Lineage="), "{trace}");
        assert_eq!(trace.matches("Lineage").count(), 1);
        // FNV-1a of arn:aws:lambda:us-east-1:000000000000:function:f.
        assert!(trace.contains("e7b3a0ee:20"), "{trace}");
        assert_eq!(pass(&trace, &function("h")).1, 1);
    }

    #[test]
    fn only_so_many_functions_are_remembered() {
        let mut trace = String::new();
        for n in 0..100 {
            trace = pass(&trace, &function(&format!("f{n}"))).0;
        }
        assert_eq!(trace.matches(':').count(), FUNCTIONS_MAX);
        assert_eq!(pass(&trace, &function("f99")).1, 2);
        assert_eq!(pass(&trace, &function("f0")).1, 1);
    }

    #[test]
    fn nonsense_is_left_out() {
        assert_eq!(
            part("Root=x;Lineage=zz:1|a87bd80c:+1|:|a87bd80c:2"),
            Some("Lineage=a87bd80c:2".to_owned())
        );
        assert_eq!(part("Root=x"), None);
        assert_eq!(pass(";;Lineage=a87bd80c:4294967295;", &function("f")).1, 1);
    }

    proptest! {
        #[test]
        fn no_header_panics(trace in "[ -~]{0,80}", lineage in "[0-9a-f:|]{0,60}") {
            let (text, count) = pass(&format!("{trace};Lineage={lineage}"), &function("f"));
            prop_assert!(count >= 1);
            prop_assert!(part(&text).is_some());
        }
    }
}
