//! Pages of lists: `Marker`, `MaxItems`, `IsTruncated`.
//!
//! A marker names the last item of its page, so that what is created or deleted in between neither
//! shifts nor repeats the others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use wire::query::QueryError;

use super::call::Call;
use super::xml::{group, member};

/// The default number of items in a page (AWS).
const ITEMS: usize = 100;

/// One page of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Where the next begins, if there is one.
    marker: Option<String>,
}

impl<T> Page<T> {
    /// The requested page. `key` orders the items, and no two have the same.
    pub(super) fn of(
        call: &Call<'_>,
        mut items: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Self, QueryError> {
        items.sort_by_cached_key(&key);
        if let Some(marker) = call.given("Marker") {
            let after = BASE64.decode(marker).ok();
            let after = after.and_then(|bytes| String::from_utf8(bytes).ok());
            let after =
                after.ok_or_else(|| QueryError::validation("Invalid Marker.".to_owned()))?;
            items.retain(|item| key(item) > after);
        }
        let limit = call.number("MaxItems")?;
        let limit = limit.map_or(ITEMS, |number| usize::try_from(number).unwrap_or(ITEMS));
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let marker = last.map(|item| BASE64.encode(key(item)));
        Ok(Self { items, marker })
    }

    /// The list, and what says whether there is more.
    pub(super) fn xml(&self, name: &str, item: impl Fn(&T) -> String) -> String {
        list(name, self.items.iter().map(item)) + &self.end()
    }

    /// What says whether there is more.
    pub(super) fn end(&self) -> String {
        match &self.marker {
            None => member("IsTruncated", "false"),
            Some(marker) => member("IsTruncated", "true") + &member("Marker", marker),
        }
    }
}

/// A list as it stands.
pub(super) fn list(name: &str, items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| group("member", &item)).collect();
    group(name, &items)
}

/// A list that is always empty.
pub(super) fn nothing(name: &str) -> String {
    list(name, std::iter::empty()) + &member("IsTruncated", "false")
}
