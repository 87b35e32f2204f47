//! Which of AWS's protocols a request speaks, so that whatever comes of it is answered in the same.
//!
//! By the service that it was signed for. What nobody signed is told apart by what only clients of that
//! protocol send; everything else is Lambda's: a browser, a probe of a load balancer.

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use types::RequestId;
use wire::ApiError;
use wire::json_rpc::JsonError;
use wire::query::{QueryError, STS_NAMESPACE};
use wire::sigv4::Signed;
use wire::uri::query_value;

/// See the file's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protocol {
    /// Lambda's: paths and JSON.
    Rest,
    /// CloudWatch Logs': an action in a header, JSON.
    Logs,
    /// IAM's and STS's: a form, XML.
    Query,
}

impl Protocol {
    /// What the sender of this request reads.
    pub(super) fn of(parts: &Parts) -> Self {
        match Signed::parse(parts) {
            Ok(signed) => match signed.service.as_str() {
                "logs" => Self::Logs,
                "iam" | "sts" => Self::Query,
                _ => Self::Rest,
            },
            Err(_) if parts.uri.path() != "/" => Self::Rest,
            Err(_) if is_form(parts) || query_value(parts.uri.query(), "Action").is_some() => {
                Self::Query
            }
            Err(_) if parts.headers.contains_key("x-amz-target") => Self::Logs,
            Err(_) => Self::Rest,
        }
    }
}

/// A refusal as clients of the service that was asked read it.
pub(super) fn refused(parts: &Parts, error: ApiError, request_id: RequestId) -> Response<Bytes> {
    match Protocol::of(parts) {
        Protocol::Rest => return error.response(request_id),
        Protocol::Logs => return JsonError::from(error).response(request_id),
        Protocol::Query => {}
    }
    let error = QueryError {
        status: error.status,
        code: "RequestEntityTooLarge",
        message: error.message,
    };
    error.response(STS_NAMESPACE, request_id)
}

/// Whether the body is a form, as those of the query protocol are.
pub(super) fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn what_nobody_signed_is_lambdas_unless_it_speaks_another_protocol() {
        let form = (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        for (uri, header, expected) in [
            ("/", ("accept", "*/*"), Protocol::Rest),
            ("/", ("authorization", "Bearer x"), Protocol::Rest),
            ("/", form, Protocol::Query),
            (
                "/?Action=GetCallerIdentity",
                ("accept", "*/*"),
                Protocol::Query,
            ),
            ("/", ("x-amz-target", "Logs_20140328.X"), Protocol::Logs),
            ("/2015-03-31/functions", form, Protocol::Rest),
        ] {
            let request = Request::builder().uri(uri).header(header.0, header.1);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(Protocol::of(&parts), expected, "{uri} {header:?}");
        }
    }
}
