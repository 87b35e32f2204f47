//! Which way a call takes: lines in the order of preference, tried until one has received it.
//!
//! ```text
//!   lines ─▶ the first ─ certainly not done ─▶ the next … ─▶ Lost::Before
//!                 └ answered, or nobody knows ─▶ its answer, or Lost::After
//! ```

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use api::{Loses, Lost};
use bytes::Bytes;
use http::uri::PathAndQuery;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use tonic::client::Grpc;
use tonic::{Request, Status};

use crate::line::{Known, Line, Sender, known};
use crate::message::{Frames, decode, encode};
use crate::served::Incoming;

/// A connection is made within this, or the call was not received.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Where the callees of an arrow are, now.
pub trait Lines: Send + Sync {
    /// The lines in the order of preference: a call is made on the first, and on the next if it was certainly not
    /// received. None if there is no callee.
    fn lines(&self) -> Vec<Line>;
}

impl Lines for Line {
    fn lines(&self) -> Vec<Line> {
        vec![self.clone()]
    }
}

impl<T: Lines + ?Sized> Lines for Arc<T> {
    fn lines(&self) -> Vec<Line> {
        (**self).lines()
    }
}

/// An arrow whose callees are at the other ends of lines.
pub struct Far<T: ?Sized> {
    pub(crate) route: Route,
    arrow: PhantomData<Arc<T>>,
}

impl<T: ?Sized> Far<T> {
    /// The callees that `lines` names at each call.
    pub fn new(lines: impl Lines + 'static) -> Self {
        Self {
            route: Route(Box::new(lines)),
            arrow: PhantomData,
        }
    }
}

/// What a call may take.
#[derive(Clone, Copy)]
pub(crate) struct Allowance {
    /// All tries together.
    pub(crate) within: Duration,
    /// The request, and the answer, each in bytes.
    pub(crate) largest: usize,
}

/// See the module.
pub(crate) struct Route(Box<dyn Lines>);

impl Route {
    /// Calls a method that answers in one piece. The deadline is that of all tries.
    pub(crate) async fn call<R, A, E>(
        &self,
        path: &'static str,
        allowance: Allowance,
        request: &R,
    ) -> Result<A, E>
    where
        R: Serialize + Sync,
        A: DeserializeOwned,
        E: DeserializeOwned + Loses,
    {
        let request = encode(request).map_err(|_| E::lost(Lost::Before))?;
        let to = PathAndQuery::from_static(path);
        let answer = self.tried(path, allowance, move |mut grpc| {
            let (request, to) = (Request::new(request.clone()), to.clone());
            async move {
                ready(&mut grpc).await?;
                Ok(grpc.unary(request, to, Frames).await?.into_inner())
            }
        });
        let answer = answer.await.map_err(E::lost)?;
        // The callee has answered, so it has received the call.
        decode::<Result<A, E>>(&answer).unwrap_or_else(|_| Err(E::lost(Lost::After)))
    }

    /// Calls a method that answers in pieces. The deadline is that of the first one.
    pub(crate) async fn pieces<R: Serialize + Sync>(
        &self,
        path: &'static str,
        allowance: Allowance,
        request: &R,
    ) -> Result<(Bytes, Incoming), Lost> {
        let request = encode(request).map_err(|_| Lost::Before)?;
        let to = PathAndQuery::from_static(path);
        self.tried(path, allowance, move |mut grpc| {
            let (request, to) = (Request::new(request.clone()), to.clone());
            async move {
                ready(&mut grpc).await?;
                let answer = grpc.server_streaming(request, to, Frames).await?;
                let mut pieces = answer.into_inner();
                let first = pieces.message().await?;
                let first = first.ok_or_else(|| Status::data_loss("an answer without a piece"))?;
                Ok((first, pieces))
            }
        })
        .await
    }

    /// Tries one line after the other, until a callee may have received the call.
    async fn tried<A, F>(
        &self,
        path: &'static str,
        Allowance { within, largest }: Allowance,
        call: impl Fn(Grpc<Sender>) -> F + Send + Sync,
    ) -> Result<A, Lost>
    where
        F: Future<Output = Result<A, Status>> + Send,
    {
        let until = Instant::now() + within;
        let mut lines = self.0.lines();
        // One that could not be reached a moment ago is tried after the others.
        lines.sort_by_key(Line::is_doubted);
        for (number, line) in lines.iter().enumerate() {
            let others = u32::try_from(lines.len() - number).unwrap_or(u32::MAX);
            // A callee may end a connection just when a call begins on it. The call then has a second try at the same
            // callee, on a new connection.
            for _ in 0..2 {
                let left = until.saturating_duration_since(Instant::now());
                // The others have their share of the time, too.
                let connect_within = CONNECT_WITHIN.min(left / others);
                let Ok(grpc) = line.connected(connect_within, largest).await else {
                    break;
                };
                let answer = timeout_at(until, call(grpc)).await;
                let status = match answer.map_err(|_| Lost::After)? {
                    Ok(answer) => return Ok(answer),
                    Err(status) => status,
                };
                let known = known(&status);
                let (address, message) = (line.address(), status.message());
                tracing::debug!(path, %address, code = ?status.code(), message, ?known, "a call was lost");
                match known {
                    Known::Nothing => return Err(Lost::After),
                    Known::Refused => break,
                    Known::NotTaken => {}
                }
            }
        }
        Err(Lost::Before)
    }
}

async fn ready(grpc: &mut Grpc<Sender>) -> Result<(), Status> {
    let ready = grpc.ready().await;
    ready.map_err(|error| Status::from_error(error.into()))
}
