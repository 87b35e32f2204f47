//! Function URLs: a function reached by plain HTTP.
//!
//! ```text
//!   request ─▶ preflight? ─▶ who signed? ─▶ may they? ─▶ event ─▶ run ─▶ result ─▶ response
//!               cors                        authorise    event           result, prelude
//! ```

mod cors;
mod event;
mod prelude;
mod result;

use std::sync::Arc;

use admission::{Admitted, Caller, Checked, InvocationType, Trace, too_large};
use api::worker::Response as Answer;
use api::worker::StreamEvent;
use authn::authorisation::Requester;
use authn::circumstances;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, header};
use policy::Context;
use records::urls::{Auth, InvokeMode, Url};
use tokio::sync::mpsc;
use tokio::time::Instant;
use types::limits::SYNC_REQUEST_BYTES_MAX;
use types::{AccountId, Origin, RequestId};
use wire::ApiError;
use wire::function_url::Target;
use wire::sigv4::{self, Signed};

use crate::answer;
use crate::body::{Body, Framing, Stream};
use crate::run::{Delivery, Ran};
use crate::service::Frontend;
use event::Facts;
use prelude::Beginning;

/// Why a request to a URL has no response from the function.
enum Refusal {
    /// The caller, or a temporary condition, is the cause.
    Api(ApiError),
    /// The function failed or did not return a response.
    BadGateway,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<result::Malformed> for Refusal {
    fn from(_: result::Malformed) -> Self {
        Self::BadGateway
    }
}

impl Frontend {
    /// Whose function a request is for, and who may call it; `None` if there is no such URL.
    pub fn url_owner(&self, target: &Target<'_>) -> Option<(AccountId, Auth)> {
        let url = self.url_of(target)?;
        Some((url.function.scope.account.clone(), url.auth))
    }

    /// The URL of a target. A host name leads only to those of its own region.
    fn url_of(&self, target: &Target<'_>) -> Option<Arc<Url>> {
        let url = self.with.admission.metadata().url(&target.id)?;
        let region = url.function.scope.region.as_str();
        let leads_there = target.region.as_deref().is_none_or(|named| named == region);
        leads_there.then_some(url)
    }

    /// Answers a request for a function URL. `size` is how many bytes the body had; if that is more than it may have, the rest was left out.
    pub async fn url(
        self: &Arc<Self>,
        request: Request<Bytes>,
        size: usize,
        origin: Origin,
    ) -> Response<Body> {
        let began = Instant::now();
        let id = RequestId::random(self.with.random.as_ref());
        let (parts, body) = request.into_parts();
        let trace = self.with.admission.trace(&parts);
        let url = Target::of(&parts).and_then(|target| {
            let url = self.url_of(&target)?;
            Some((url, target))
        });
        let mut response = match &url {
            Some((url, target)) => {
                let asked = Asked {
                    id,
                    url,
                    parts: &parts,
                    path: target.path,
                    body: &body,
                    size,
                    origin,
                    trace: &trace,
                };
                self.url_response(&asked).await
            }
            None => no_url(id),
        };
        answer::sign_off(&mut response, id, &trace.for_caller());
        self.metrics.answered(response.status());
        self.metrics.seconds.observe(began.elapsed().as_secs_f64());
        response
    }

    async fn url_response(self: &Arc<Self>, asked: &Asked<'_>) -> Response<Body> {
        let cors = asked.url.cors.as_ref();
        if let Some(response) = cors.and_then(|cors| cors::preflight(cors, asked.parts)) {
            return response.map(|()| Body::Whole(Bytes::new()));
        }
        let mut response = match self.call_url(asked).await {
            Ok(response) => response,
            Err(Refusal::Api(error)) => error.response(asked.id).map(Body::Whole),
            Err(Refusal::BadGateway) => bad_gateway(),
        };
        if let Some(cors) = cors {
            cors::apply(cors, &asked.parts.headers, response.headers_mut());
        }
        response
    }

    async fn call_url(self: &Arc<Self>, asked: &Asked<'_>) -> Result<Response<Body>, Refusal> {
        let url = asked.url;
        if asked.size > SYNC_REQUEST_BYTES_MAX {
            return Err(too_large(InvocationType::RequestResponse, asked.size).into());
        }
        let caller = match url.auth {
            Auth::None => None,
            Auth::Iam => Some(self.url_caller(asked).await?),
        };
        self.authorise_url(caller.as_ref().map(|(caller, _)| caller), asked)?;
        let found = self.with.admission.find(&url.function).await?;
        let trace = asked.trace.for_function();
        let payload = event::event(&Facts {
            url,
            parts: asked.parts,
            path: asked.path,
            body: asked.body,
            caller: caller
                .as_ref()
                .and_then(|(caller, key)| Some((caller.requester.principal()?, key.as_str()))),
            source: asked.origin.address,
            scheme: asked.origin.scheme(&self.config.url_scheme),
            request: asked.id,
            trace: &trace,
            now: self.with.clock.now(),
        });
        let payload =
            payload.map_err(|event| too_large(InvocationType::RequestResponse, event.bytes))?;
        let admitted = Admitted {
            arn: url.function.clone(),
            found,
            request: Checked {
                invocation_type: InvocationType::RequestResponse,
                log_tail: false,
                client_context: None,
                payload: payload.into(),
            },
            trace,
        };
        let delivery = match url.invoke_mode {
            InvokeMode::Buffered => Delivery::Whole,
            InvokeMode::ResponseStream => Delivery::Streamed,
        };
        match self.start(asked.id, admitted, delivery).await? {
            Ran::Whole(answer, result) => whole(url.invoke_mode, &answer, result),
            Ran::Stream {
                content_type,
                events,
            } => streamed(content_type.as_deref(), events).await,
        }
    }

    /// Who signed the request, and by which access key.
    async fn url_caller(&self, asked: &Asked<'_>) -> Result<(Caller, String), ApiError> {
        let signed = match Signed::parse(asked.parts) {
            Ok(signed) => signed,
            Err(sigv4::Error::Missing) => return Err(forbidden()),
            Err(error) => return Err(error.into()),
        };
        let region = asked.url.function.scope.region.as_str();
        if signed.region != region {
            let message = format!(
                "Credential should be scoped to a valid region, not '{}'. ",
                signed.region
            );
            return Err(sigv4::Error::Scope { message }.into());
        }
        let caller = self.with.admission.caller(asked.parts, asked.body).await?;
        Ok((caller, signed.access_key_id))
    }

    /// A URL requires two permissions: to use URLs of its auth type, and to invoke the function through
    /// one.
    fn authorise_url(&self, caller: Option<&Caller>, asked: &Asked<'_>) -> Result<(), ApiError> {
        let function = &asked.url.function;
        let requester = match caller {
            Some(caller) => caller.requester.clone(),
            None => {
                let region = Some(function.scope.region.clone());
                let now = self.with.clock.now();
                Requester::anonymous(circumstances(asked.parts, region, now))
            }
        };
        let auth = asked.url.auth.word();
        for (action, key, value) in [
            (
                "lambda:InvokeFunctionUrl",
                "lambda:FunctionUrlAuthType",
                auth,
            ),
            (
                "lambda:InvokeFunction",
                "lambda:InvokedViaFunctionUrl",
                "true",
            ),
        ] {
            let context = Context::new()
                .with("lambda:FunctionArn", function.to_string())
                .with(key, value);
            let admission = &self.with.admission;
            let decided = admission.authorise(&requester, action, function, context);
            decided.map_err(|_| forbidden())?;
        }
        Ok(())
    }
}

/// One request for a URL.
struct Asked<'r> {
    id: RequestId,
    url: &'r Url,
    parts: &'r Parts,
    path: &'r str,
    body: &'r Bytes,
    size: usize,
    origin: Origin,
    trace: &'r Trace,
}

/// The response to a whole result.
fn whole(mode: InvokeMode, answer: &Answer, result: Bytes) -> Result<Response<Body>, Refusal> {
    if answer.failed {
        return Err(Refusal::BadGateway);
    }
    let content_type = answer.content_type.as_deref();
    if content_type == Some(prelude::CONTENT_TYPE) {
        let (head, body) = Beginning::default()
            .take(&result)?
            .ok_or(result::Malformed)?;
        return Ok(head.map(|()| Body::Whole(body)));
    }
    match mode {
        InvokeMode::Buffered => Ok(result::response(&result)?.map(Body::Whole)),
        // What a function returns that does not stream is not interpreted here.
        InvokeMode::ResponseStream => Ok(result::plain(content_type).map(|()| Body::Whole(result))),
    }
}

/// The response to a result that has begun: its head as soon as that is known.
async fn streamed(
    content_type: Option<&str>,
    mut events: mpsc::Receiver<StreamEvent>,
) -> Result<Response<Body>, Refusal> {
    let has_prelude = content_type == Some(prelude::CONTENT_TYPE);
    let mut beginning = Beginning::default();
    loop {
        let piece = match events.recv().await {
            Some(StreamEvent::Piece(piece)) => piece,
            // That was everything, and it is empty.
            Some(StreamEvent::End { error: None, .. }) if !has_prelude => {
                return Ok(result::plain(content_type).map(|()| Body::Whole(Bytes::new())));
            }
            // Without a head there is no response, however the stream ended.
            Some(StreamEvent::End { .. }) | None => return Err(Refusal::BadGateway),
        };
        let (head, first) = match has_prelude {
            false => (result::plain(content_type), piece),
            true => match beginning.take(&piece)? {
                Some(begun) => begun,
                None => continue,
            },
        };
        return Ok(head.map(|()| Body::Stream(Stream::new(first, events, Framing::Plain))));
    }
}

/// AWS's answer for a URL that does not exist: that access is denied, without a reason.
fn no_url(id: RequestId) -> Response<Body> {
    let mut response = ApiError::access_denied("").response(id);
    *response.body_mut() = Bytes::from_static(br#"{"Message":null}"#);
    response.map(Body::Whole)
}

/// AWS's words, with its page on what may be missing.
fn forbidden() -> ApiError {
    ApiError::access_denied(
        "Forbidden. For troubleshooting Function URL authorization issues, see: \
         https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
    )
}

/// What the caller sees of a failed function: no details.
fn bad_gateway() -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::from_static(b"Internal Server Error")));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
