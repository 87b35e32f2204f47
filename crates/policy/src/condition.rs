//! `Condition`: operators, keys and values.
//!
//! ```text
//!   "ForAnyValue:StringLikeIfExists": { "aws:TagKeys": ["team*", "env"] }
//!    └─ Quantifier  └─ Operator └─ if_exists   └─ key      └─ values, any of which will do
//! ```
//!
//! All keys of all operators must hold.

mod operator;

use operator::{Operator, Test};

use crate::context::Context;
use crate::glob::{Pattern, Steps};

/// One key of one operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Condition {
    quantifier: Quantifier,
    operator: Operator,
    /// A key that the request lacks does not matter.
    if_exists: bool,
    key: String,
    values: Vec<Pattern>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Quantifier {
    /// The key has one value.
    None,
    All,
    Any,
}

/// Why there is no such condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unreadable {
    /// There is no such operator.
    Operator,
    /// A value is not of the operator's kind.
    Value,
    /// A variable is spelt wrongly.
    Variable,
}

impl Condition {
    /// Reads one. `variables`: whether the document's version knows them.
    pub(crate) fn new(
        operator: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, Unreadable> {
        let (quantifier, rest) = match operator.split_once(':') {
            None => (Quantifier::None, operator),
            Some((all, rest)) if all.eq_ignore_ascii_case("ForAllValues") => {
                (Quantifier::All, rest)
            }
            Some((any, rest)) if any.eq_ignore_ascii_case("ForAnyValue") => (Quantifier::Any, rest),
            Some(_) => return Err(Unreadable::Operator),
        };
        const IF_EXISTS: &str = "IfExists";
        let cut = rest.len().saturating_sub(IF_EXISTS.len());
        let if_exists = rest
            .get(cut..)
            .is_some_and(|end| end.eq_ignore_ascii_case(IF_EXISTS));
        let name = if if_exists { &rest[..cut] } else { rest };
        let operator = Operator::parse(name).ok_or(Unreadable::Operator)?;
        // Whether there is a value at all is asked in one way.
        if operator.test == Test::Null && (if_exists || quantifier != Quantifier::None) {
            return Err(Unreadable::Operator);
        }
        let variables = variables && operator.test.has_variables();
        let read = |text: &String| {
            let pattern = Pattern::parse(text, variables).map_err(|_| Unreadable::Variable)?;
            // A variable may stand for a whole ARN, and shows what it is when it is filled in.
            let is_open = pattern.has_variables() && text.starts_with("${");
            match is_open || operator.test.understands(text) {
                true => Ok(pattern),
                false => Err(Unreadable::Value),
            }
        };
        Ok(Self {
            quantifier,
            operator,
            if_exists,
            key: key.to_ascii_lowercase(),
            values: values.iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it holds for a request. `allow`: whether it is a condition for allowing. What cannot be
    /// decided makes what allows fail and what denies hold: a negated condition with a variable that has
    /// no value, and a comparison with a value that is not of the operator's kind.
    pub(crate) fn holds(&self, context: &Context, allow: bool, steps: &Steps) -> bool {
        let present = context.values(&self.key);
        if self.operator.test == Test::Null {
            let wanted = if present.is_none() { "true" } else { "false" };
            return self.values.iter().any(|value| {
                let value = value.fill(context).and_then(|value| value.literal(8));
                value.is_some_and(|text| text.eq_ignore_ascii_case(wanted))
            });
        }
        let Some(present) = present else {
            return self.if_exists
                || match self.quantifier {
                    Quantifier::None => self.operator.negated,
                    Quantifier::All => true,
                    Quantifier::Any => false,
                };
        };
        let fits = |given: &String| self.fits(given, context, allow, steps);
        match self.quantifier {
            // A key with several values is asked for by a quantifier; without one, a negation
            // must hold for all of them, and anything else for one.
            Quantifier::None if self.operator.negated => present.iter().all(fits),
            Quantifier::None | Quantifier::Any => present.iter().any(fits),
            Quantifier::All => present.iter().all(fits),
        }
    }

    /// Whether one value of the request is as the condition wants it.
    fn fits(&self, given: &str, context: &Context, allow: bool, steps: &Steps) -> bool {
        let negated = self.operator.negated;
        let equal = self.values.iter().any(|wanted| {
            // Each is checked, however soon it differs.
            steps.take(1)
                && match wanted.fill(context) {
                    Some(wanted) => {
                        let met = self.operator.test.is_met(given, &wanted, steps);
                        met.unwrap_or(negated == allow)
                    }
                    None => negated && allow,
                }
        });
        equal != negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(operator: &str, values: &[&str]) -> Result<Condition, Unreadable> {
        let values: Vec<String> = values.iter().map(|text| (*text).to_owned()).collect();
        Condition::new(operator, "k:k", &values, true)
    }

    fn check(operator: &str, values: &[&str], given: Option<&[&str]>, expected: bool) {
        let condition = new(operator, values).unwrap();
        let mut context = Context::new().with("aws:username", "ann");
        if let Some(given) = given {
            context.set_all("K:k", given.iter().map(|text| (*text).to_owned()));
        }
        let found = condition.holds(&context, true, &Steps::new(100_000));
        assert_eq!(found, expected, "{operator} {values:?} of {given:?}");
    }

    #[test]
    fn texts() {
        check("StringEquals", &["a", "b"], Some(&["b"]), true);
        check("StringEquals", &["a"], Some(&["A"]), false);
        check("StringEquals", &["a*"], Some(&["ab"]), false);
        check("StringEquals", &["a*"], Some(&["a*"]), true);
        check("StringNotEquals", &["a", "b"], Some(&["b"]), false);
        check("StringNotEquals", &["a", "b"], Some(&["c"]), true);
        check("StringEqualsIgnoreCase", &["a"], Some(&["A"]), true);
        check("StringNotEqualsIgnoreCase", &["a"], Some(&["A"]), false);
        check("StringLike", &["a*", "x"], Some(&["ab"]), true);
        check("StringLike", &["a?"], Some(&["abc"]), false);
        check("StringNotLike", &["a*"], Some(&["ab"]), false);
        check("StringEquals", &["${aws:username}"], Some(&["ann"]), true);
        check("stringequals", &["a"], Some(&["a"]), true);
    }

    #[test]
    fn numbers() {
        check("NumericEquals", &["10"], Some(&["10.0"]), true);
        check("NumericNotEquals", &["10"], Some(&["11"]), true);
        check("NumericLessThan", &["10"], Some(&["9"]), true);
        check("NumericLessThan", &["10"], Some(&["10"]), false);
        check("NumericLessThanEquals", &["10"], Some(&["10"]), true);
        check("NumericGreaterThan", &["10"], Some(&["11"]), true);
        check("NumericGreaterThanEquals", &["10"], Some(&["9"]), false);
    }

    #[test]
    fn dates() {
        let may = "2026-05-01T00:00:00Z";
        check("DateLessThan", &["2026-05-02"], Some(&[may]), true);
        check(
            "DateGreaterThan",
            &["2026-04-30T23:59:59+00:00"],
            Some(&[may]),
            true,
        );
        check(
            "DateGreaterThan",
            &["2026-05-01T01:00:00+02:00"],
            Some(&[may]),
            true,
        );
        check("DateEquals", &["1777593600"], Some(&[may]), true);
        check("DateNotEquals", &["1777593600"], Some(&[may]), false);
        check("DateLessThanEquals", &[may], Some(&[may]), true);
        check("DateGreaterThanEquals", &["2027"], Some(&[may]), false);
    }

    #[test]
    fn truths_bytes_and_addresses() {
        check("Bool", &["true"], Some(&["true"]), true);
        check("Bool", &["True"], Some(&["true"]), true);
        check("Bool", &["true"], Some(&["false"]), false);
        check("BinaryEquals", &["AQI="], Some(&["AQI="]), true);
        check("BinaryEquals", &["AQI="], Some(&["AQM="]), false);
        check("IpAddress", &["10.0.0.0/8"], Some(&["10.1.2.3"]), true);
        check("IpAddress", &["10.0.0.0/8"], Some(&["11.1.2.3"]), false);
        check("IpAddress", &["10.1.2.3"], Some(&["10.1.2.3"]), true);
        check("IpAddress", &["0.0.0.0/0"], Some(&["10.1.2.3"]), true);
        check(
            "IpAddress",
            &["2001:db8::/32"],
            Some(&["2001:db8::1"]),
            true,
        );
        check("IpAddress", &["2001:db8::/32"], Some(&["10.1.2.3"]), false);
        check(
            "IpAddress",
            &["10.0.0.0/8"],
            Some(&["::ffff:10.0.0.1"]),
            true,
        );
        check("NotIpAddress", &["10.0.0.0/8"], Some(&["11.1.2.3"]), true);
        check("NotIpAddress", &["10.0.0.0/8"], Some(&["10.1.2.3"]), false);
    }

    #[test]
    fn arns() {
        let arn = "arn:aws:s3:::bucket/a:b";
        for operator in ["ArnEquals", "ArnLike"] {
            check(operator, &["arn:aws:s3:::bucket/*"], Some(&[arn]), true);
            check(operator, &["arn:aws:*:*:*:bucket/a:b"], Some(&[arn]), true);
            check(operator, &["arn:aws:s3:*"], Some(&[arn]), true);
            check(operator, &["arn:aws:s3:::bucket"], Some(&[arn]), false);
        }
        for operator in ["ArnNotEquals", "ArnNotLike"] {
            check(operator, &["arn:aws:s3:::bucket/*"], Some(&[arn]), false);
            check(operator, &["arn:aws:s3:::other"], Some(&[arn]), true);
        }
    }

    #[test]
    fn keys_that_are_not_there() {
        check("StringEquals", &["a"], None, false);
        check("StringNotEquals", &["a"], None, true);
        check("StringEqualsIfExists", &["a"], None, true);
        check("StringEqualsIfExists", &["a"], Some(&["b"]), false);
        check("BoolIfExists", &["true"], None, true);
        check("NotIpAddress", &["10.0.0.0/8"], None, true);
        check("Null", &["true"], None, true);
        check("Null", &["true"], Some(&["x"]), false);
        check("Null", &["false"], Some(&["x"]), true);
        check("Null", &["false"], None, false);
    }

    #[test]
    fn keys_with_many_values() {
        let both: Option<&[&str]> = Some(&["a", "b"]);
        check("ForAllValues:StringEquals", &["a", "b", "c"], both, true);
        check("ForAllValues:StringEquals", &["a"], both, false);
        check("ForAllValues:StringEquals", &["a"], None, true);
        check("ForAnyValue:StringEquals", &["a"], both, true);
        check("ForAnyValue:StringEquals", &["c"], both, false);
        check("ForAnyValue:StringEquals", &["a"], None, false);
        check("ForAllValues:StringNotEquals", &["c"], both, true);
        check("ForAllValues:StringNotEquals", &["a"], both, false);
        check("ForAnyValue:StringNotEquals", &["a"], both, true);
        check("ForAllValues:StringLike", &["*"], both, true);
    }

    #[test]
    fn what_cannot_be_compared_allows_nothing_and_denies() {
        for (operator, value, given) in [
            ("NumericLessThan", "10", "many"),
            ("NumericNotEquals", "10", "many"),
            ("DateGreaterThan", "2020-01-01", "1 January 2020"),
            ("DateNotEquals", "2020-01-01", "soon"),
            ("IpAddress", "10.0.0.0/8", "localhost"),
            ("NotIpAddress", "10.0.0.0/8", "localhost"),
            ("Bool", "true", "no"),
            ("BinaryEquals", "AQI=", "?"),
            ("ArnLike", "arn:aws:s3:::*", "bucket"),
            ("ArnNotEquals", "arn:aws:s3:::*", "bucket"),
            ("ArnLike", "${aws:username}", "arn:aws:s3:::bucket"),
        ] {
            let condition = new(operator, &[value]).unwrap();
            let context = Context::new()
                .with("aws:username", "ann")
                .with("k:k", given);
            let holds = |allow| condition.holds(&context, allow, &Steps::new(1_000));
            assert!(!holds(true) && holds(false), "{operator} {value} {given}");
        }
        // A variable without a value names nothing, and as an exception everything.
        for (operator, denies) in [("StringEquals", false), ("StringNotEquals", true)] {
            let condition = new(operator, &["${aws:SourceVpc}"]).unwrap();
            let context = Context::new().with("k:k", "x");
            let holds = |allow| condition.holds(&context, allow, &Steps::new(1_000));
            assert!(!holds(true) && holds(false) == denies, "{operator}");
        }
    }

    #[test]
    fn values_that_are_not_of_the_operators_kind_are_refused() {
        for (operator, value) in [
            ("NumericEquals", "x"),
            ("NumericEquals", "NaN"),
            ("DateGreaterThan", "1 January 2020"),
            ("DateLessThan", "infinity"),
            ("IpAddress", "127.0.0.1-127.0.0.255"),
            ("NotIpAddress", "localhost"),
            ("IpAddress", "10.0.0.0/33"),
            ("Bool", "no"),
            ("Null", "maybe"),
            ("BinaryEquals", "?"),
            ("ArnLike", "function:f"),
            ("ArnEquals", "arn:*/a:b"),
            // "You cannot use a policy variable with other operators".
            ("NumericEquals", "${aws:EpochTime}"),
            ("IpAddress", "${aws:SourceIp}"),
        ] {
            for operator in [operator.to_owned(), format!("ForAnyValue:{operator}")] {
                if operator != "ForAnyValue:Null" {
                    assert_eq!(
                        new(&operator, &[value]),
                        Err(Unreadable::Value),
                        "{operator} {value}"
                    );
                }
            }
        }
        assert_eq!(new("StringLike", &["${"]), Err(Unreadable::Variable));
    }

    #[test]
    fn other_operators_do_not_exist() {
        for name in [
            "",
            "Equals",
            "StringEqual",
            "NullIfExists",
            "ForAllValues:Null",
            "ForSome:Bool",
            "IfExists",
            "StringEqualsÄIfExists",
        ] {
            assert_eq!(new(name, &[]), Err(Unreadable::Operator), "{name}");
        }
    }
}
