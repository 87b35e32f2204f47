//! What is known about a request in addition to its action and resource: the values of condition keys.

use std::collections::BTreeMap;

/// Keys and their values. Keys are alike whatever their case.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key with one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_ascii_lowercase(), vec![value.into()]);
    }

    /// Sets a key with any number of values. None is the same as no such key.
    pub fn set_all(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        let values: Vec<String> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.insert(key.to_ascii_lowercase(), values);
        }
    }

    /// This, with one more key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// Sets `<prefix><tag>` for every tag, as `aws:ResourceTag/` and its like are.
    pub fn set_tags(&mut self, prefix: &str, tags: &BTreeMap<String, String>) {
        for (key, value) in tags {
            self.set(&format!("{prefix}{key}"), value.clone());
        }
    }

    /// Takes over all keys of `other`, which win.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The values of a key.
    pub(crate) fn values(&self, key: &str) -> Option<&[String]> {
        match self.0.get(key) {
            Some(values) => Some(values),
            None => self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice),
        }
    }

    /// The value of a key that has exactly one.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        match self.values(key) {
            Some([value]) => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_alike_whatever_their_case() {
        let context = Context::new().with("aws:SourceArn", "a");
        assert_eq!(context.value("AWS:SourceArn"), Some("a"));
        assert_eq!(context.value("aws:sourcearn"), Some("a"));
        assert_eq!(context.value("aws:SourceAccount"), None);
    }

    #[test]
    fn no_values_are_no_key() {
        let mut context = Context::new();
        context.set_all("aws:TagKeys", []);
        assert_eq!(context.values("aws:TagKeys"), None);
    }
}
