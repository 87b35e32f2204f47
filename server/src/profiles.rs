//! The files in which AWS's clients keep profiles: `~/.aws/credentials` and `~/.aws/config`. Pure.
//!
//! ```text
//!   [default]                       [profile work]  (config)  or  [work]  (credentials)
//!   aws_access_key_id = AKIA…       region = eu-central-1
//!   aws_secret_access_key = …       services = here
//!                                   [services here]
//!                                   lambda =
//!                                     endpoint_url = http://10.0.0.1:9100
//! ```

use std::collections::BTreeMap;

/// A file's sections by name; a setting that is nested in another is `outer.inner`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Profiles(BTreeMap<String, BTreeMap<String, String>>);

impl Profiles {
    /// Reads a file. Lines that are none of its form say nothing, as AWS's clients see it, too.
    pub(crate) fn parse(text: &str) -> Self {
        let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut section = None;
        let mut outer = "";
        for line in text.lines() {
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                section = Some(sections.entry(section_name(name.0)).or_default());
                outer = "";
                continue;
            }
            let (Some(settings), Some((name, value))) = (&mut section, bare.split_once('=')) else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            let key = match line.starts_with([' ', '\t']) && !outer.is_empty() {
                true => format!("{outer}.{name}"),
                false => {
                    outer = if value.is_empty() { name } else { "" };
                    name.to_owned()
                }
            };
            // The first counts, as one that was added beneath it by mistake does not.
            settings.entry(key).or_insert_with(|| value.to_owned());
        }
        Self(sections)
    }

    /// A setting of a section, unless it is empty.
    pub(crate) fn get(&self, section: &str, name: &str) -> Option<&str> {
        let value = self.0.get(section)?.get(name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether there is such a section.
    pub(crate) fn has(&self, section: &str) -> bool {
        self.0.contains_key(section)
    }
}

/// `profile "a b"` is the profile `a b`; `services x` stays what it is.
fn section_name(text: &str) -> String {
    let text = text.trim();
    let name = match text.split_once([' ', '\t']) {
        Some(("profile", name)) => name.trim(),
        _ => text,
    };
    name.trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_as_awss_clients_write_them() {
        let read = Profiles::parse(
            "stray = 1\n[default]\nregion=eu-north-1\n\n# [other]\n[profile 'a b']\n s3 =\n  x = 1\nservices = here\n\
             aws_secret_access_key = a=b\nempty =\n[services here]\nlambda =\n  endpoint_url = http://x\nnot a setting\n",
        );
        assert_eq!(read.get("default", "region"), Some("eu-north-1"));
        assert_eq!(read.get("a b", "aws_secret_access_key"), Some("a=b"));
        assert_eq!(read.get("a b", "services"), Some("here"));
        assert_eq!(read.get("a b", "empty"), None);
        assert_eq!(
            read.get("services here", "lambda.endpoint_url"),
            Some("http://x")
        );
        assert!(!read.has("other") && read.has("a b"));
    }

    #[test]
    fn fuzz_profiles() {
        use proptest::prelude::*;
        let line = prop_oneof![
            "\\[(profile |services )?.{0,6}\\]?",
            "[ \t]?.{0,6}=.{0,6}",
            ".{0,9}",
        ];
        let input = prop::collection::vec(line, 0..12);
        fuzzing::run("profiles", input, |lines| {
            let read = Profiles::parse(&lines.join("\n"));
            prop_assert!(
                read.0
                    .values()
                    .flatten()
                    .all(|(name, _)| name == name.trim())
            );
            Ok(())
        });
    }
}
