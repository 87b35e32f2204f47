//! The one address at which the AWS APIs are served: takes each request to the role that answers it.
//!
//! ```text
//!   Invoke, InvokeWithResponseStream, function URLs ─▶ frontend
//!   Invoke of an event, InvokeAsync, what people ask of events ─▶ event frontend, on its own threads
//!   everything else ─▶ dispatch, which knows control, identity and logs
//! ```
//!
//! The front door reads bodies and counts connections and bytes; it decides nothing about a request
//! except where it goes. Only before it reads a large body, it asks whether the access key in
//! the head exists, and verifies the signature if the head declares the body's hash.

mod balancers;
mod body;
mod bound;
mod certificates;
mod conversation;
mod cors;
mod head;
mod intake;
mod line;
mod patience;
mod places;
mod proxy_header;
mod reply;
mod serve;
#[cfg(test)]
mod tests;
mod traced;
mod ways;

use std::sync::Arc;

use admission::InvocationType;
use authn::Authenticator;
use bytes::Bytes;
use event_invoke::EventFrontend;
use frontend::Frontend;
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use records::urls::Auth;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use traces::{Span, Tracer};
use types::limits::{ASYNC_REQUEST_BYTES_MAX, SYNC_REQUEST_BYTES_MAX};
use types::{AccountId, Origin, Random, RequestId, SystemRandom};
use wire::ApiError;
use wire::function_url::Target;
use wire::rest::{Match, Operation};

use crate::dispatch::Operations;
pub(crate) use bound::{Bound, bind};
use conversation::{Conversation, party};
use intake::{Intake, Part, Whose};
use places::Places;
use reply::Reply;
pub(crate) use serve::{Ending, Side};
pub(crate) use ways::Ways;

/// The size up to which any body is read; for a larger one the head must name a known
/// access key, and be signed by it as far as the head alone can tell.
const STRANGERS_BYTES_MAX: u64 = 64 * 1024;
/// How many refused bodies are read to their end at once: beyond it the connection is closed.
const DISCARDS_MAX: usize = 16;
/// Bodies larger than any invoke's that are worked on at a time: packages. More wait.
const LARGE_BODIES_MAX: usize = 8;

/// Where requests are taken.
pub(crate) struct FrontDoor {
    entry: Entry,
    ways: Ways,
    random: Arc<dyn Random>,
    places: Arc<Places>,
    intake: Arc<Intake>,
    large_bodies: Semaphore,
    /// The turns of refused bodies that are read to their end.
    discards: Arc<Semaphore>,
}

/// How much may be taken at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bounds {
    /// Connections.
    pub(crate) connections: usize,
    /// Connections of one address.
    pub(crate) connections_of_one: usize,
    /// Bytes of heads and bodies, from when they begin to come until they are answered.
    pub(crate) bytes: u64,
}

/// To whom requests are taken.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) operations: Arc<dyn Operations>,
    pub(crate) frontend: Arc<Frontend>,
    pub(crate) events: Arc<EventFrontend>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) tracer: Tracer,
    /// On which the event frontend works.
    pub(crate) threads: Handle,
}

/// Where a request goes.
enum Destination {
    /// A synchronous invoke by the API.
    Invoke(Match),
    /// An asynchronous one.
    Event(Match),
    /// What people ask of events and their queues.
    Events,
    /// A function URL; whose it is and who may call it, if there is one of that id.
    Url(Option<(AccountId, Auth)>),
    /// Every other operation.
    Operation,
}

impl Destination {
    /// Whether it says by itself how large a body may be.
    fn has_a_limit(&self) -> bool {
        !matches!(self, Self::Events)
    }
}

impl FrontDoor {
    pub(crate) fn new(entry: Entry, ways: Ways, bounds: Bounds) -> Self {
        Self {
            entry,
            ways,
            random: Arc::new(SystemRandom),
            places: Places::new(bounds.connections, bounds.connections_of_one),
            intake: Intake::new(bounds.bytes),
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
            discards: Arc::new(Semaphore::new(DISCARDS_MAX)),
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        origin: Origin,
        conversation: &Arc<Conversation>,
    ) -> Response<Reply> {
        let (mut parts, body) = request.into_parts();
        if let Err(refusal) = head::check(&parts, conversation.is_bare()) {
            return head::last(self.refused(&refusal));
        }
        let destination = self.destination(&parts);
        let mut span = match &destination {
            Destination::Invoke(_) | Destination::Event(_) | Destination::Url(Some(_)) => {
                traced::begin(&self.entry.tracer, &mut parts)
            }
            Destination::Url(None) | Destination::Events | Destination::Operation => {
                Span::default()
            }
        };
        let is_api = !matches!(destination, Destination::Url(_) | Destination::Events);
        let shared = is_api && cors::has_origin(&parts.headers);
        let mut answer = match cors::preflight(&parts) {
            Some(answer) if shared => answer.map(Reply::from),
            _ => {
                self.answer_at(destination, (parts, body), origin, conversation)
                    .await
            }
        };
        if shared {
            cors::open(answer.headers_mut());
        }
        traced::answered(&mut span, &answer);
        answer.map(|reply| reply.traced(span))
    }

    async fn answer_at(
        &self,
        destination: Destination,
        (parts, body): (Parts, Incoming),
        origin: Origin,
        conversation: &Arc<Conversation>,
    ) -> Response<Reply> {
        let limit = match destination {
            // One byte more than may be, so that the frontend sees that it is too many.
            Destination::Invoke(_) | Destination::Url(_) => SYNC_REQUEST_BYTES_MAX + 1,
            Destination::Event(_) => ASYNC_REQUEST_BYTES_MAX + 1,
            // It has none.
            Destination::Events => 0,
            Destination::Operation => control::REQUEST_BYTES_MAX + 1,
        };
        let length = body::length(&body);
        let mut whose = Whose {
            // Of all that come through one balancer, each has a share.
            party: party(origin.address),
            account: None,
            verified: false,
        };
        // What says itself that it is too large is refused before anybody asks who sends it, and none
        // of it is kept.
        let too_large = destination.has_a_limit() && (limit as u64..u64::MAX).contains(&length);
        if length > STRANGERS_BYTES_MAX {
            let sender = match too_large {
                true => None,
                false => self.sender(&parts, &destination).await,
            };
            let Some((account, verified)) = sender else {
                // Refused where sizes or signatures are: that no such key exists, say, or none is
                // named. The body is coming nevertheless.
                let size = match too_large {
                    true => usize::try_from(length).unwrap_or(usize::MAX),
                    false => 0,
                };
                let waits = parts.headers.contains_key(http::header::EXPECT);
                let request = Request::from_parts(parts, Bytes::new());
                let answer = self.take(request, destination, size, origin).await;
                // A client that asked first (`Expect: 100-continue`) has sent nothing.
                if !waits && let Ok(turn) = Arc::clone(&self.discards).try_acquire_owned() {
                    tokio::spawn(async move {
                        let _turn = turn;
                        body::discard(body).await;
                    });
                }
                return head::last(answer);
            };
            whose.account = Some(account);
            whose.verified = verified;
        }
        let copies = match destination {
            // The body, and the event that is made of it.
            Destination::Url(_) => 2,
            _ => 1,
        };
        let hold = || self.intake.open(Part::Body, whose, conversation);
        let read = match body::read(body, limit, copies, hold).await {
            Ok(read) => read,
            Err(unread) => return head::last(self.refused(&head::unread(unread))),
        };
        // Never closed, so that there is always a turn.
        let _turn = match read.size > SYNC_REQUEST_BYTES_MAX {
            true => self.large_bodies.acquire().await.ok(),
            false => None,
        };
        let _held = read.held;
        let request = Request::from_parts(parts, read.bytes);
        self.take(request, destination, read.size, origin).await
    }

    fn refused(&self, refusal: &ApiError) -> Response<Reply> {
        let id = RequestId::random(self.random.as_ref());
        refusal.response(id).map(Reply::from)
    }

    fn destination(&self, parts: &Parts) -> Destination {
        if let Some(target) = Target::of(parts) {
            return Destination::Url(self.entry.frontend.url_owner(&target));
        }
        if event_invoke::is_console(parts.uri.path()) {
            return Destination::Events;
        }
        let matched = wire::rest::route(&parts.method, parts.uri.path(), parts.uri.query());
        match matched {
            Some(matched) if is_invoke(matched.operation) => {
                match InvocationType::of(matched.operation, &parts.headers) {
                    InvocationType::Event => Destination::Event(matched),
                    _ => Destination::Invoke(matched),
                }
            }
            _ => Destination::Operation,
        }
    }

    /// For which account a body is read that is larger than strangers may send, and whether the
    /// signature is good. `None` if it is not to be read.
    async fn sender(&self, parts: &Parts, destination: &Destination) -> Option<(Arc<str>, bool)> {
        match destination {
            Destination::Url(None) => None,
            Destination::Url(Some((account, Auth::None))) => {
                Some((Arc::from(account.as_str()), false))
            }
            Destination::Url(Some((_, Auth::Iam)))
            | Destination::Invoke(_)
            | Destination::Event(_)
            | Destination::Events
            | Destination::Operation => self.signer(parts).await,
        }
    }

    /// The account of the access key that the head names, unless the head alone tells that the
    /// signature is not good. That it is good is verified when the body is here.
    async fn signer(&self, parts: &Parts) -> Option<(Arc<str>, bool)> {
        let head = self.entry.authenticator.head(parts).await?;
        // If the key's owner is not known now, it will be when the signature is verified.
        let account = head.account.as_ref().map_or("", |account| account.as_str());
        Some((Arc::from(account), head.is_signed))
    }

    async fn take(
        &self,
        request: Request<Bytes>,
        destination: Destination,
        size: usize,
        origin: Origin,
    ) -> Response<Reply> {
        match destination {
            Destination::Invoke(matched) => {
                let response = self.entry.frontend.invoke(request, size, &matched).await;
                response.map(Reply::from)
            }
            Destination::Event(matched) => {
                let frontend = Arc::clone(&self.entry.events);
                self.event(async move { frontend.invoke(request, size, &matched).await })
                    .await
            }
            Destination::Events => {
                let frontend = Arc::clone(&self.entry.events);
                self.event(async move { frontend.console(request, size).await })
                    .await
            }
            Destination::Url(_) => {
                let response = self.entry.frontend.url(request, size, origin).await;
                response.map(Reply::from)
            }
            Destination::Operation => {
                let response = self.entry.operations.handle(request, size).await;
                response.map(Reply::from)
            }
        }
    }
}

impl FrontDoor {
    /// Has the event frontend answer, on its own threads.
    async fn event(
        &self,
        answer: impl Future<Output = Response<Bytes>> + Send + 'static,
    ) -> Response<Reply> {
        let answered = self.entry.threads.spawn(answer).await;
        let response = answered.unwrap_or_else(|_| {
            let id = RequestId::random(self.random.as_ref());
            ApiError::service("The event was lost.").response(id)
        });
        response.map(Reply::from)
    }
}

fn is_invoke(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Invoke | Operation::InvokeAsync | Operation::InvokeWithResponseStream
    )
}
