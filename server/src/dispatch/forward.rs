//! Takes requests to a control plane in another process.

use std::sync::Arc;

use api::requests::{self, Requests};
use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use types::{Origin, Random, RequestId};
use wire::ApiError;

use super::{Dispatch, Operations, protocol};

/// See the module.
pub(crate) struct Forward {
    control: Arc<dyn Requests>,
    random: Arc<dyn Random>,
}

impl Forward {
    pub(crate) fn new(control: Arc<dyn Requests>, random: Arc<dyn Random>) -> Self {
        Self { control, random }
    }
}

#[async_trait]
impl Operations for Forward {
    async fn handle(&self, request: Request<Bytes>, size: usize) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let answered = self.control.answer(sent(&parts, body, size)).await;
        let response = answered.ok().and_then(received);
        response.unwrap_or_else(|| {
            let id = RequestId::random(self.random.as_ref());
            protocol::refused(&parts, ApiError::unavailable(), id)
        })
    }
}

#[async_trait]
impl Requests for Dispatch {
    async fn answer(
        &self,
        request: requests::Request,
    ) -> Result<requests::Response, requests::Error> {
        let size = usize::try_from(request.size).unwrap_or(usize::MAX);
        // A frontend sends what HTTP has let through.
        let request = read(request).ok_or(requests::Error::Unavailable)?;
        let response = self.handle(request, size).await;
        let (parts, body) = response.into_parts();
        Ok(requests::Response {
            status: parts.status.as_u16(),
            headers: headers(&parts.headers),
            body,
        })
    }
}

fn sent(parts: &Parts, body: Bytes, size: usize) -> requests::Request {
    requests::Request {
        method: parts.method.as_str().to_owned(),
        target: parts.uri.to_string(),
        headers: headers(&parts.headers),
        body,
        size: size as u64,
        origin: parts.extensions.get().copied(),
    }
}

fn read(sent: requests::Request) -> Option<Request<Bytes>> {
    let mut request = Request::builder()
        .method(sent.method.as_str())
        .uri(&sent.target);
    for (name, value) in &sent.headers {
        request = request.header(name, value.as_ref());
    }
    let mut request = request.body(sent.body).ok()?;
    if let Some(origin) = sent.origin {
        request.extensions_mut().insert::<Origin>(origin);
    }
    Some(request)
}

fn received(answer: requests::Response) -> Option<Response<Bytes>> {
    let mut response = Response::new(answer.body);
    *response.status_mut() = StatusCode::from_u16(answer.status).ok()?;
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(value).ok()?;
        response.headers_mut().append(name, value);
    }
    Some(response)
}

fn headers(map: &http::HeaderMap) -> Vec<(String, Bytes)> {
    let headers = map.iter();
    headers
        .map(|(name, value)| {
            let value = Bytes::copy_from_slice(value.as_bytes());
            (name.as_str().to_owned(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use types::Transport;

    use super::*;

    const ORIGIN: Origin = Origin {
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)),
        transport: Transport::Tls,
    };

    #[test]
    fn a_request_arrives_as_it_was_signed() {
        let request = Request::builder()
            .method("PUT")
            .uri("/2015-03-31/functions/a%20b/code?x=%2F&y")
            .header("x-amz-date", "now")
            .header("accept", "a")
            .header("accept", "b")
            .extension(ORIGIN)
            .body(Bytes::from_static(b"\x00{}"))
            .unwrap();
        let (parts, body) = request.into_parts();
        let arrived = read(sent(&parts, body, 3)).unwrap();
        assert_eq!(arrived.method(), "PUT");
        assert_eq!(arrived.uri(), "/2015-03-31/functions/a%20b/code?x=%2F&y");
        let accepts: Vec<_> = arrived.headers().get_all("accept").iter().collect();
        assert_eq!(accepts, ["a", "b"]);
        assert_eq!(arrived.body(), &Bytes::from_static(b"\x00{}"));
        assert_eq!(arrived.extensions().get(), Some(&ORIGIN));
    }

    #[test]
    fn what_is_no_request_and_no_response_is_refused() {
        let answer = |status, name: &str| {
            received(requests::Response {
                status,
                headers: vec![(name.to_owned(), Bytes::from_static(b"v"))],
                body: Bytes::new(),
            })
        };
        assert_eq!(answer(202, "x-a").unwrap().headers()["x-a"], "v");
        assert!(answer(99, "x-a").is_none() && answer(200, "x a").is_none());
    }
}
