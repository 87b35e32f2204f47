//! Buckets: PutObject. Pure.

use http::Method;
use types::Timestamp;

use super::{Call, region, request};
use crate::event::State;

/// Puts a record into a bucket, under a name of its own: told twice, it is there once.
pub(super) fn put_object(bucket: &str, state: &State, decided: Timestamp, record: String) -> Call {
    let path = format!("/{}/{}", wire::uri::encode(bucket), key(state, decided));
    let kind = [("content-type", "application/json")];
    let to = (Method::PUT, path);
    request("s3", region(&state.arn.scope), to, &kind, record)
}

/// `aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<id>` (AWS).
pub(super) fn key(state: &State, decided: Timestamp) -> String {
    let time = decided.to_iso_text();
    let seconds = time.split('.').next().unwrap_or(&time).replace(':', ".");
    format!(
        "aws/lambda/async/{}/{}/{seconds}-{}",
        state.arn.name,
        decided.to_date_path(),
        state.request
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    #[test]
    fn the_key_tells_function_and_time() {
        let state = event("{}", 0).event.state;
        assert_eq!(
            key(&state, Timestamp::from_millis(1_769_854_830_123)),
            "aws/lambda/async/f/2026/01/31/2026-01-31T10.20.30-00000000-0000-0000-0000-000000000000"
        );
    }
}
