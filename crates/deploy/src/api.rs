//! Calls the server: one signed request, one answer, and what an error says.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use wire::xml::Element;

/// Tries of a request that is refused because there are too many, or because something else is
/// done to the resource right now.
const TRIES_MAX: u32 = 40;
/// The first wait between two tries; each later one is half as long again, up to [`WAIT_MAX`].
const WAIT_FIRST: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(2);

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// What it is signed for, `lambda` say; empty: it is not signed.
    pub service: &'static str,
    /// Its method.
    pub method: Method,
    /// Path and query, encoded.
    pub target: String,
    /// In addition to those of the signature.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Bytes,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// `x-amzn-errortype`, if there is one.
    pub error_type: Option<String>,
    /// Its body.
    pub body: Bytes,
}

/// Sends requests. Implemented by the command line's client.
#[async_trait]
pub trait Api: Send + Sync {
    /// Sends one request. An error is for people: the server could not be reached.
    async fn send(&self, call: Call) -> Result<Answer, String>;
}

/// Why something could not be done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// There was no answer.
    #[error("{0}")]
    Unreachable(String),
    /// The service refused.
    #[error("{code}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// The error's name.
        code: String,
        /// Its words.
        message: String,
    },
    /// It was accepted, and came to nothing.
    #[error("{0}")]
    Failed(String),
    /// It is still not there.
    #[error("{what} is still {state} after {seconds} s")]
    Late {
        /// What was waited for.
        what: String,
        /// How it was at last.
        state: String,
        /// How long.
        seconds: u64,
    },
    /// An answer has not what it must have.
    #[error("the answer to {0} is not as expected")]
    Answer(String),
}

impl Error {
    /// Whether there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
            || matches!(self, Self::Refused { code, .. } if code.starts_with("NoSuchEntity"))
    }

    /// Whether something else has the name already.
    pub fn is_taken(&self) -> bool {
        let Self::Refused { code, message, .. } = self else {
            return false;
        };
        let exists = ["EntityAlreadyExists", "ResourceAlreadyExists"];
        exists.iter().any(|start| code.starts_with(start))
            || code.starts_with("ResourceConflict") && message.contains("exist")
    }
}

/// A call of Lambda or another service that speaks JSON; the answer's body, null if it has none.
pub async fn json(api: &dyn Api, call: Call) -> Result<Value, Error> {
    let answer = ask(api, call.clone()).await?;
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.body).map_err(|_| Error::Answer(call.target))
}

/// A call of a service that speaks XML: IAM or STS.
pub async fn query(api: &dyn Api, call: Call) -> Result<Element, Error> {
    let answer = ask(api, call.clone()).await?;
    xml(&answer).ok_or(Error::Answer(call.target))
}

fn xml(answer: &Answer) -> Option<Element> {
    Element::parse(std::str::from_utf8(&answer.body).ok()?)
}

/// A call of Lambda.
pub async fn lambda(
    api: &dyn Api,
    method: Method,
    target: impl Into<String>,
    body: Option<&Value>,
) -> Result<Value, Error> {
    let body = body.map(|body| Bytes::from(body.to_string()));
    let call = Call {
        service: "lambda",
        method,
        target: target.into(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.unwrap_or_default(),
    };
    json(api, call).await
}

/// Sends, and again for as long as it makes sense to wait.
pub async fn ask(api: &dyn Api, call: Call) -> Result<Answer, Error> {
    let mut wait = WAIT_FIRST;
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = api.send(call.clone()).await.map_err(Error::Unreachable)?;
        if answer.status < 300 {
            return Ok(answer);
        }
        let error = refusal(&answer);
        if tries == TRIES_MAX || !passes(&error) {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 3 / 2).min(WAIT_MAX);
    }
}

/// Whether it is worth while to wait: too many requests, or the resource is being changed.
fn passes(error: &Error) -> bool {
    let Error::Refused {
        status,
        code,
        message,
    } = error
    else {
        return false;
    };
    match status {
        429 | 503 => true,
        409 => {
            (code.starts_with("ResourceConflict") || code.starts_with("ResourceInUse"))
                && (message.contains("in progress")
                    || message.contains("is currently in the following state"))
                || code.starts_with("ResourceInUse")
        }
        _ => code.starts_with("Throttling"),
    }
}

/// What an error answer says, in JSON or XML.
fn refusal(answer: &Answer) -> Error {
    let document = xml(answer);
    let element = |name: &str| document.as_ref()?.text_of(name).map(str::to_owned);
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let field = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| json.get(*name));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    let code = answer
        .error_type
        .clone()
        .or_else(|| field(["__type", "code"]))
        .or_else(|| element("Code"));
    let message = field(["message", "Message"]).or_else(|| element("Message"));
    Error::Refused {
        status: answer.status,
        code: code.unwrap_or_else(|| format!("status {}", answer.status)),
        message: message.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            error_type: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn errors_are_read_in_json_and_in_xml() {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>a &lt;b&gt;</Message></Error></ErrorResponse>";
        let error = refusal(&answer(404, xml));
        assert_eq!(error.to_string(), "NoSuchEntity: a <b>");
        assert!(error.is_not_found());
        let json = r#"{"__type":"ResourceAlreadyExistsException","message":"there"}"#;
        let error = refusal(&answer(400, json));
        assert_eq!(error.to_string(), "ResourceAlreadyExistsException: there");
        assert_eq!(refusal(&answer(500, "oops")).to_string(), "status 500: ");
    }
}
