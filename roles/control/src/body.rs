//! Reading request bodies: JSON, of a size that may take a while.

use authn::run_blocking;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use wire::ApiError;

/// Reads a JSON body. An empty one is an empty object, as for operations whose members are all
/// optional.
pub(crate) async fn parse<T: DeserializeOwned + Send + 'static>(
    body: &Bytes,
) -> Result<T, ApiError> {
    let body = body.clone();
    run_blocking(body.len(), move || parse_now(&body)).await
}

/// Reads a small JSON body.
pub(crate) fn parse_now<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    // The position and kind of the error, and nothing of the value: it may be a secret.
    types::json::from_slice(body).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "a member has the wrong type or is there twice",
            _ => "it is not JSON",
        };
        ApiError::serialization(format!(
            "Could not parse request body into json: {what} at line {} column {}",
            error.line(),
            error.column()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Example {
        timeout: Option<i64>,
    }

    #[test]
    fn refusals_do_not_repeat_what_they_refuse() {
        assert_eq!(
            parse_now::<Example>(b"").unwrap(),
            Example { timeout: None }
        );
        assert_eq!(
            parse_now::<Example>(br#"{"Timeout":3,"X":1}"#)
                .unwrap()
                .timeout,
            Some(3)
        );
        let error = parse_now::<Example>(br#"{"Timeout":"hush"}"#).unwrap_err();
        assert_eq!(error.code, "SerializationException");
        assert!(!error.message.contains("hush"));
        assert!(parse_now::<Example>(b"{\xff").is_err());
        assert!(parse_now::<Example>(br#"{"X":1,"X":2}"#).is_err());
        let deep = "[".repeat(100_000);
        assert!(parse_now::<Example>(deep.as_bytes()).is_err());
    }
}
