//! Which runtimes a function may name: AWS's, as far as this installation can run them, and those that
//! its operator has added.

use std::collections::{BTreeMap, BTreeSet};

use wire::ApiError;
use wire::validation::set_text;

/// The runtimes that AWS accepts for a function, in the order in which its refusals name them.
const CREATABLE: [&str; 25] = [
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];
/// The runtimes that AWS had, and no longer accepts for any function.
const BLOCKED: [&str; 20] = [
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "go1.x",
    "java8",
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "provided",
    "python2.7",
    "python3.6",
    "python3.7",
    "ruby2.5",
    "ruby2.7",
];

/// What this installation can run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuntimesHere {
    /// Families, such as `python`: every runtime of AWS's of that family.
    pub families: BTreeSet<String>,
    /// Runtimes that the operator has added by name, whether they exist on AWS or not.
    pub exact: BTreeSet<String>,
    /// Those of both that the operator refuses, and why.
    pub refused: BTreeMap<String, String>,
}

impl RuntimesHere {
    /// Every runtime that functions may name.
    pub fn names(&self) -> BTreeSet<String> {
        let of_aws = CREATABLE.iter().map(|name| (*name).to_owned());
        let here = of_aws.filter(|name| self.families.contains(family(name)));
        here.chain(self.exact.iter().cloned()).collect()
    }
}

impl Default for RuntimesHere {
    fn default() -> Self {
        let families = ["java", "nodejs", "provided", "python"];
        Self {
            families: families.map(str::to_owned).into(),
            exact: BTreeSet::new(),
            refused: BTreeMap::new(),
        }
    }
}

/// A runtime must be one that AWS accepts and that this installation has and does not refuse.
pub fn check_runtime(runtime: &str, here: &RuntimesHere) -> Result<(), ApiError> {
    if here.exact.contains(runtime) {
        return check_refused(runtime, here);
    }
    if BLOCKED.contains(&runtime) {
        return Err(ApiError::invalid_parameter(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating \
             AWS Lambda functions. We recommend you use a supported runtime while creating or \
             updating functions."
        )));
    }
    if !CREATABLE.contains(&runtime) {
        return Err(ApiError::invalid_parameter(format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum \
             value set: {} or be a valid ARN",
            set_text(&CREATABLE)
        )));
    }
    if here.families.contains(family(runtime)) {
        return check_refused(runtime, here);
    }
    Err(ApiError::invalid_parameter(format!(
        "{runtime} is a runtime of AWS Lambda that this installation of Lambent cannot run. Its \
         operator can add it: [runtimes.use.\"{runtime}\"] in the configuration names its folder and \
         root (docs/runtimes.md). Or give the function's package a bootstrap of its own and use \
         provided.al2023."
    )))
}

fn check_refused(runtime: &str, here: &RuntimesHere) -> Result<(), ApiError> {
    match here.refused.get(runtime) {
        None => Ok(()),
        Some(why) => Err(ApiError::invalid_parameter(format!("{runtime}: {why}"))),
    }
}

/// `python3.12` belongs to `python`.
fn family(runtime: &str) -> &str {
    let end = runtime.find(|letter: char| !letter.is_ascii_alphabetic());
    &runtime[..end.unwrap_or(runtime.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(runtime: &str) -> String {
        let here = RuntimesHere::default();
        check_runtime(runtime, &here).unwrap_err().message
    }

    #[test]
    fn an_unknown_runtime_is_told_those_that_aws_has() {
        let message = refused("cobol85");
        assert!(message.starts_with("Value cobol85 at 'runtime' failed to satisfy constraint: "));
        assert!(message.ends_with("provided.al2, java8.al2] or be a valid ARN"));
    }

    #[test]
    fn what_aws_has_and_is_not_here_can_be_added() {
        let message = refused("ruby3.3");
        assert!(message.contains("[runtimes.use.\"ruby3.3\"]"), "{message}");
        let mut here = RuntimesHere::default();
        here.exact.insert("ruby3.3".to_owned());
        assert!(check_runtime("ruby3.3", &here).is_ok());
        assert!(check_runtime("ruby3.4", &here).is_err());
        assert!(check_runtime("java8.al2", &here).is_ok());
    }

    #[test]
    fn what_the_operator_refuses_is_told_why() {
        let mut here = RuntimesHere::default();
        let (name, why) = ("python3.8".to_owned(), "it is 3.11".to_owned());
        here.refused.insert(name, why);
        let refused = check_runtime("python3.8", &here).unwrap_err();
        assert_eq!(refused.message, "python3.8: it is 3.11");
        assert!(check_runtime("python3.9", &here).is_ok());
    }

    #[test]
    fn what_aws_has_no_more_is_told_so() {
        for runtime in BLOCKED {
            assert!(refused(runtime).contains("is no longer supported"));
        }
    }
}
