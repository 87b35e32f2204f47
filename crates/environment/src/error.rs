//! The error objects of the Runtime API, and the error types that may appear in them.

use bytes::Bytes;

/// The type of an answer that broke off: what posted it has ended, or has hung up.
pub const TRUNCATED: &str = "Runtime.TruncatedResponse";

/// An error as functions' callers see it: `{"errorType": …, "errorMessage": …}`.
pub fn error_body(error_type: &str, message: &str) -> Bytes {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        error_type: &'a str,
        error_message: &'a str,
    }
    let body = Body {
        error_type,
        error_message: message,
    };
    Bytes::from(serde_json::to_vec(&body).expect("two strings always serialise"))
}

/// The type a runtime gave in `Lambda-Runtime-Function-Error-Type` for a failed invoke; what is
/// not of the form `Category.Reason` becomes `Function.Unknown`.
pub(crate) fn function_error_type(given: Option<&str>) -> String {
    well_formed(given).unwrap_or("Function.Unknown").to_owned()
}

/// The type of a failed invoke: what the runtime gave, else what stands in the error object, if it
/// is one that may stand in a log.
pub(crate) fn invoke_error_type(given: Option<&str>, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Told {
        error_type: String,
    }
    let known = well_formed(given).map(str::to_owned);
    known.unwrap_or_else(|| {
        let told = serde_json::from_slice::<Told>(body).map(|told| told.error_type);
        let told = told.ok().filter(|told| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"_.$-:".contains(&b);
            (1..=128).contains(&told.len()) && told.bytes().all(fits)
        });
        told.unwrap_or_else(|| function_error_type(None))
    })
}

/// The same for a failed init; the fallback is `Runtime.Unknown`.
pub(crate) fn runtime_error_type(given: Option<&str>) -> String {
    well_formed(given).unwrap_or("Runtime.Unknown").to_owned()
}

fn well_formed(given: Option<&str>) -> Option<&str> {
    let (category, reason) = given?.split_once('.')?;
    let word = |text: &str| {
        (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let known = matches!(category, "Runtime" | "Function" | "Extension" | "Sandbox");
    (known && word(reason)).then_some(given?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_shapes_of_error_types_are_mapped() {
        assert_eq!(
            function_error_type(Some("Runtime.MarshalError")),
            "Runtime.MarshalError"
        );
        assert_eq!(function_error_type(Some("ValueError")), "Function.Unknown");
        assert_eq!(function_error_type(None), "Function.Unknown");
        let body = br#"{"errorType":"ValueError","errorMessage":"no"}"#;
        assert_eq!(invoke_error_type(Some("Runtime.X"), body), "Runtime.X");
        assert_eq!(invoke_error_type(None, body), "ValueError");
        assert_eq!(invoke_error_type(Some("a b"), b"{}"), "Function.Unknown");
        let hostile = br#"{"errorType":"a\tb"}"#;
        assert_eq!(invoke_error_type(None, hostile), "Function.Unknown");
        assert_eq!(runtime_error_type(Some("Runtime.\n")), "Runtime.Unknown");
        assert_eq!(runtime_error_type(Some("My.Reason")), "Runtime.Unknown");
    }
}
