//! Paged lists: `Marker`, `MaxItems`, `NextMarker`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use storage::Row;
use wire::ApiError;
use wire::uri::query_value;

/// The most items in one answer, whatever `MaxItems` says (AWS).
pub(crate) const PAGE_MAX: usize = 50;

/// The requested page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Page {
    /// The last item of the previous page, as [`Page::marker`] named it.
    pub(crate) after: Option<String>,
    /// The most items.
    pub(crate) limit: usize,
}

impl Page {
    /// From a query string.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        Self::parse_up_to(query, PAGE_MAX)
    }

    /// From a query string, for lists whose answers have another length.
    pub(crate) fn parse_up_to(query: Option<&str>, page_max: usize) -> Result<Self, ApiError> {
        let limit = match query_value(query, "MaxItems") {
            None => page_max,
            Some(text) => {
                let number: usize = text
                    .parse()
                    .map_err(|_| ApiError::serialization("MaxItems must be a number"))?;
                number.min(page_max)
            }
        };
        let after = match query_value(query, "Marker") {
            None => None,
            Some(text) if text.is_empty() => None,
            Some(text) => {
                let bytes = BASE64.decode(text.as_bytes()).ok();
                let after = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                Some(after.ok_or_else(|| ApiError::invalid_parameter("Invalid marker."))?)
            }
        };
        Ok(Self { after, limit })
    }

    /// This page of rows that are sorted by key, and the marker of the next one if there is more.
    /// Markers name what follows `prefix` in a row's key.
    pub(crate) fn of_rows(&self, mut rows: Vec<Row>, prefix: &str) -> (Vec<Row>, Option<String>) {
        let place = |row: &Row| row.key[prefix.len()..].to_owned();
        rows.retain(|row| {
            self.after
                .as_deref()
                .is_none_or(|after| *place(row) > *after)
        });
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().filter(|_| more);
        let marker = last.map(|row| Self::marker(&place(row)));
        (rows, marker)
    }

    /// The marker that makes the next page begin after `item`. Opaque, so that clients do not depend on
    /// its form.
    pub(crate) fn marker(item: &str) -> String {
        BASE64.encode(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_of_fifty_at_most() {
        let limit = |query| Page::parse(Some(query)).map(|page| page.limit).ok();
        assert_eq!(limit(""), Some(50));
        assert_eq!(limit("MaxItems=7"), Some(7));
        assert_eq!(limit("MaxItems=10000"), Some(50));
        assert_eq!(limit("MaxItems=x"), None);
    }

    #[test]
    fn a_marker_comes_back_as_it_was() {
        let query = format!("Marker={}", Page::marker("f:12"));
        assert_eq!(
            Page::parse(Some(&query)).unwrap().after.as_deref(),
            Some("f:12")
        );
        assert!(Page::parse(Some("Marker=%")).is_err());
    }
}
