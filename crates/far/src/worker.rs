//! The worker's arrow, whose results can come in pieces.
//!
//! ```text
//!   invoke ─▶ Head, with a whole result in it        the one frame
//!          └▶ Head, then each StreamEvent            frames; HTTP/2's window is the pace
//! ```

use std::sync::Arc;
use std::time::Duration;

use api::worker::{Body, Create, Error, Invoke, Living, Response, Stream, StreamEvent, Worker};
use api::{Loses as _, Lost};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{once, unfold};
use serde::{Deserialize, Serialize};
use tonic::Status;
use types::EnvironmentId;

use crate::message::{MESSAGE_BYTES_MAX, decode, encode};
use crate::route::{Allowance, Far};
use crate::served::{Rights, Served};
use types::Role;

/// An environment is created within this: code of 250 MB to unpack, and an init of ten seconds.
const CREATED: Duration = Duration::from_secs(150);
/// An environment ends within this: the invoke under way, and its shutdown phase.
const DESTROYED: Duration = Duration::from_secs(1_000);
/// The first piece of an answer comes within this: an invoke of 15 minutes, and what is around it.
const INVOKED: Duration = Duration::from_secs(1_000);
const PROMPT: Duration = Duration::from_secs(1);

const CREATE: &str = "/lambent.Worker/create";
const INVOKE: &str = "/lambent.Worker/invoke";
const DESTROY: &str = "/lambent.Worker/destroy";
const ENVIRONMENTS: &str = "/lambent.Worker/environments";

/// A [`Response`] without its stream.
#[derive(Serialize, Deserialize)]
struct Head {
    failed: bool,
    content_type: Option<String>,
    /// `None` if it comes in pieces.
    body: Option<Bytes>,
    log_tail: Option<Bytes>,
}

#[async_trait]
impl Worker for Far<dyn Worker> {
    async fn create(&self, request: Create) -> Result<(), Error> {
        self.route.call(CREATE, at_most(CREATED), &request).await
    }

    async fn invoke(&self, request: Invoke) -> Result<Response, Error> {
        let begun = self.route.pieces(INVOKE, at_most(INVOKED), &request).await;
        let (head, frames) = begun.map_err(Error::lost)?;
        let head: Result<Head, Error> = decode(&head).map_err(|_| Error::lost(Lost::After))?;
        let Head {
            failed,
            content_type,
            body,
            log_tail,
        } = head?;
        let body = match body {
            Some(body) => Body::Full(body),
            // One that breaks off ends without its last event.
            None => Body::Stream(Stream::new(unfold(frames, async |mut frames| {
                let event = frames.message().await.ok()??;
                Some((decode::<StreamEvent>(&event).ok()?, frames))
            }))),
        };
        Ok(Response {
            failed,
            content_type,
            body,
            log_tail,
        })
    }

    async fn destroy(&self, environment: EnvironmentId) -> Result<(), Error> {
        self.route
            .call(DESTROY, at_most(DESTROYED), &environment)
            .await
    }

    async fn environments(&self) -> Result<Vec<Living>, Error> {
        self.route.call(ENVIRONMENTS, at_most(PROMPT), &()).await
    }
}

impl Served {
    /// Serves the arrow `Worker`.
    pub fn worker(&mut self, near: Arc<dyn Worker>) {
        const ASSIGNMENT: Rights = by(&[Role::Assignment]);
        let worker = Arc::clone(&near);
        self.method(CREATE, ASSIGNMENT, move |_, request: Create| {
            let worker = Arc::clone(&worker);
            async move { Ok(worker.create(request).await) }
        });
        let worker = Arc::clone(&near);
        self.method(DESTROY, ASSIGNMENT, move |_, environment: EnvironmentId| {
            let worker = Arc::clone(&worker);
            async move { Ok(worker.destroy(environment).await) }
        });
        let worker = Arc::clone(&near);
        self.method(ENVIRONMENTS, ASSIGNMENT, move |_, (): ()| {
            let worker = Arc::clone(&worker);
            async move { Ok(worker.environments().await) }
        });
        self.in_pieces(INVOKE, by(&[Role::Frontend]), move |request: Invoke| {
            let worker = Arc::clone(&near);
            async move {
                let (head, stream) = match worker.invoke(request).await {
                    Ok(response) => apart(response),
                    Err(error) => (Err(error), None),
                };
                let head = encode(&head)?;
                let pieces = unfold(stream, async |stream| {
                    let mut stream = stream?;
                    let event = stream.next().await?;
                    Some((encode(&event), Some(stream)))
                });
                Ok(once(async move { Ok::<_, Status>(head) })
                    .chain(pieces)
                    .boxed())
            }
        });
    }
}

const fn at_most(within: Duration) -> Allowance {
    Allowance {
        within,
        largest: MESSAGE_BYTES_MAX,
    }
}

const fn by(callers: &'static [Role]) -> Rights {
    Rights {
        callers,
        largest: MESSAGE_BYTES_MAX,
    }
}

/// The first frame of an answer, and what follows.
fn apart(response: Response) -> (Result<Head, Error>, Option<Stream>) {
    let (body, stream) = match response.body {
        Body::Full(body) => (Some(body), None),
        Body::Stream(stream) => (None, Some(stream)),
    };
    let head = Head {
        failed: response.failed,
        content_type: response.content_type,
        body,
        log_tail: response.log_tail,
    };
    (Ok(head), stream)
}
