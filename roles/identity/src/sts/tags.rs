//! Tags of a session: the requested ones, and the transitive ones of the calling session.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use wire::query::{Query, QueryError};

use super::error;

/// Tags, and which of them are transitive.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) struct Tags {
    /// The requested ones.
    pub(super) asked: BTreeMap<String, String>,
    /// The keys that were requested to be transitive.
    pub(super) asked_to_go_on: BTreeSet<String>,
    /// All the new session has.
    pub(super) all: BTreeMap<String, String>,
    /// The transitive ones.
    pub(super) transitive: BTreeSet<String>,
}

fn refused<T>(message: String) -> Result<T, QueryError> {
    Err(error(
        StatusCode::BAD_REQUEST,
        "InvalidParameterValue",
        message,
    ))
}

impl Tags {
    /// Reads `Tags` and `TransitiveTagKeys`; `inherited` come from the calling session.
    pub(super) fn read(
        query: &Query,
        inherited: &BTreeMap<String, String>,
    ) -> Result<Self, QueryError> {
        let mut tags = Self {
            all: inherited.clone(),
            transitive: inherited.keys().cloned().collect(),
            ..Self::default()
        };
        let mut seen = BTreeSet::new();
        for item in query.list("Tags") {
            let key = item.get("Key").copied().unwrap_or_default();
            let value = item.get("Value").copied().unwrap_or_default();
            if !seen.insert(key.to_lowercase()) {
                return refused(
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive."
                        .to_owned(),
                );
            }
            if key.to_ascii_lowercase().starts_with("aws:") {
                return refused("System tags cannot be added by requester.".to_owned());
            }
            if tags.transitive.iter().any(|known| same(known, key)) {
                return refused(format!(
                    "The tag key {key} is set by the calling session as a transitive tag and cannot \
                     be passed again."
                ));
            }
            tags.asked.insert(key.to_owned(), value.to_owned());
        }
        for item in query.list("TransitiveTagKeys") {
            let key = item.get("").copied().unwrap_or_default();
            match tags.asked.keys().find(|known| same(known, key)) {
                Some(known) => drop(tags.asked_to_go_on.insert(known.clone())),
                None => {
                    return refused(format!(
                        "The transitive tag key {key} is not among the tags of the request."
                    ));
                }
            }
        }
        tags.all.extend(tags.asked.clone());
        tags.transitive.extend(tags.asked_to_go_on.iter().cloned());
        Ok(tags)
    }
}

/// Tag keys are case-insensitive.
fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)], inherited: &[(&str, &str)]) -> Result<Tags, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let query = Query {
            action: "AssumeRole".to_owned(),
            parameters: parameters.iter().map(own).collect(),
        };
        let tags = Tags::read(&query, &inherited.iter().map(own).collect());
        tags.map_err(|error| format!("{}: {}", error.code, error.message))
    }

    const TEAM: [(&str, &str); 2] = [("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "a")];

    #[test]
    fn what_goes_on_comes_first_and_stays() {
        let asked = [TEAM[0], TEAM[1], ("TransitiveTagKeys.member.1", "team")];
        let tags = read(&asked, &[("Cost", "7")]).unwrap();
        let all: Vec<&str> = tags.all.keys().map(String::as_str).collect();
        assert_eq!(all, ["Cost", "Team"]);
        assert_eq!(tags.transitive.len(), 2);
        assert_eq!(tags.asked.len(), 1);
        assert_eq!(read(&[], &[]), Ok(Tags::default()));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let twice = [
            TEAM[0],
            TEAM[1],
            ("Tags.member.2.Key", "TEAM"),
            ("Tags.member.2.Value", "b"),
        ];
        assert!(
            read(&twice, &[])
                .unwrap_err()
                .contains("Duplicate tag keys found")
        );
        assert!(
            read(&TEAM, &[("team", "b")])
                .unwrap_err()
                .contains("calling session")
        );
        let absent = [("TransitiveTagKeys.member.1", "team")];
        assert!(
            read(&absent, &[])
                .unwrap_err()
                .contains("not among the tags")
        );
        let system = [("Tags.member.1.Key", "AWS:x"), ("Tags.member.1.Value", "b")];
        assert!(read(&system, &[]).unwrap_err().contains("System tags"));
    }
}
