//! Errors of the query protocol.

use bytes::Bytes;
use http::{Response, StatusCode};
use types::{ForCallers as _, RequestId};

use super::xml::{escaped, xml_response};
use crate::sigv4;

/// An error of the query protocol.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct QueryError {
    /// HTTP status.
    pub status: StatusCode,
    /// `Code`.
    pub code: &'static str,
    /// `Message`.
    pub message: String,
}

impl QueryError {
    /// No such access key.
    pub fn invalid_client_token() -> Self {
        let message = "The security token included in the request is invalid.".to_owned();
        Self {
            status: StatusCode::FORBIDDEN,
            code: "InvalidClientTokenId",
            message,
        }
    }

    /// The session of a temporary key has ended.
    pub fn expired_token() -> Self {
        let message = "The security token included in the request is expired".to_owned();
        Self {
            status: StatusCode::FORBIDDEN,
            code: "ExpiredToken",
            message,
        }
    }

    /// The caller may not do this.
    pub fn access_denied(message: String) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "AccessDenied",
            message,
        }
    }

    /// The request breaks the model's constraints.
    pub fn validation(message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "ValidationError",
            message,
        }
    }

    /// The form does not adhere to the protocol.
    pub fn invalid_parameter(message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "InvalidQueryParameter",
            message,
        }
    }

    /// There is no such action.
    pub fn invalid_action(action: &str, version: &str) -> Self {
        let message = format!("Could not find operation {action} for version {version}");
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "InvalidAction",
            message,
        }
    }

    /// Part of the public model, but not of this system yet.
    pub fn not_implemented(action: &str) -> Self {
        let message = format!("Lambent does not implement {action} yet");
        Self {
            status: StatusCode::NOT_IMPLEMENTED,
            code: "NotImplemented",
            message,
        }
    }

    /// What is needed to answer cannot be reached.
    pub fn unavailable() -> Self {
        let message = "The service is not available at the moment. Try again.".to_owned();
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "ServiceUnavailable",
            message,
        }
    }

    /// The whole answer, in the name space of the service that was asked.
    pub fn response(&self, namespace: &str, request_id: RequestId) -> Response<Bytes> {
        let fault = if self.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let xml = format!(
            "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{fault}</Type>\n    \
             <Code>{}</Code>\n    <Message>{}</Message>\n  </Error>\n  \
             <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n",
            self.code,
            escaped(&self.message)
        );
        xml_response(self.status, xml, request_id)
    }
}

impl From<sigv4::Error> for QueryError {
    fn from(error: sigv4::Error) -> Self {
        let (code, message) = match &error {
            sigv4::Error::Missing => (
                "MissingAuthenticationToken",
                "Request is missing Authentication Token".to_owned(),
            ),
            sigv4::Error::Incomplete { .. } => ("IncompleteSignature", error.told()),
            sigv4::Error::Time { .. }
            | sigv4::Error::Scope { .. }
            | sigv4::Error::Mismatch { .. } => ("SignatureDoesNotMatch", error.told()),
        };
        Self {
            status: StatusCode::FORBIDDEN,
            code,
            message,
        }
    }
}
