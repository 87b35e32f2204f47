//! Requests to services of AWS that Lambent is not, in the format that their clients read.
//!
//! `AWS_ENDPOINT_URL` sends the calls of every service here: those of `aws s3` and `sam deploy`,
//! too. Who makes one is to read what is the matter, and not that an answer cannot be parsed.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode, request::Parts};
use types::RequestId;
use wire::ApiError;
use wire::error::Fault;
use wire::json_rpc::JsonError;
use wire::query::{QueryError, STS_NAMESPACE, group, member};
use wire::rest::route;
use wire::sigv4::Signed;

use super::protocol::is_form;

/// The services that are here, by the names that signatures have for them.
const PRESENT: [&str; 4] = ["lambda", "logs", "iam", "sts"];

/// The error's code where codes are XML.
const CODE: &str = "NotImplemented";
/// The same where they are JSON, and names of exceptions.
const REST_CODE: &str = "NotImplementedException";

/// The refusal of a request that was signed for a service that is not here; `None` if it was for
/// one that is, or goes to a path of Lambda's API. The signature is not verified:
/// the refusal would be the same.
pub(super) fn refusal(parts: &Parts, request_id: RequestId) -> Option<Response<Bytes>> {
    let service = Signed::parse(parts).ok()?.service;
    let path = parts.uri.path();
    if PRESENT.contains(&service.as_str())
        || route(&parts.method, path, parts.uri.query()).is_some()
    {
        return None;
    }
    let known = PRESENT.join(", ");
    let message = format!("Lambent is not {service}: it has the APIs of {known}");
    let status = StatusCode::NOT_IMPLEMENTED;
    let header = |name| parts.headers.get(name).and_then(|it| it.to_str().ok());
    Some(if service == "s3" {
        object_store_error(status, &message, request_id)
    } else if header("x-amz-target").is_some() {
        let code = REST_CODE.into();
        JsonError {
            status,
            code,
            message,
        }
        .response(request_id)
    } else if is_form(parts) {
        let code = CODE;
        QueryError {
            status,
            code,
            message,
        }
        .response(STS_NAMESPACE, request_id)
    } else {
        ApiError::new(status, REST_CODE, Fault::User, message).response(request_id)
    })
}

/// An error as S3 writes it.
fn object_store_error(status: StatusCode, message: &str, id: RequestId) -> Response<Bytes> {
    let members = [
        ("Code", CODE),
        ("Message", message),
        ("RequestId", &id.to_string()),
    ];
    let members: String = members.map(|(name, text)| member(name, text)).concat();
    let mut response = Response::new(Bytes::from(group("Error", &members)));
    *response.status_mut() = status;
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, xml);
    response
}
