//! Workers, for operators: an API of this system's own, behind `lambent workers` and `lambent drain`.
//!
//! ```text
//!   GET    /lambent/workers          {"Workers": [{…}, …]}
//!   PUT    /lambent/drains/<host>    the workers of that host take no new environments, and get rid of those they have
//!   DELETE /lambent/drains/<host>    they take new ones again
//! ```
//!
//! Signed as requests to Lambda are; the actions are `lambent:ListWorkers` and `lambent:DrainHost`. For the operator's account
//! alone: what they say and do concerns everybody's functions.

use api::placement::WorkerView;
use authn::authorisation::Ask;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use policy::Context;
use serde::Serialize;
use types::{ForCallers as _, Scope};
use wire::ApiError;
use wire::sigv4::Signed;
use wire::uri::decode;

use crate::answer::{empty, json};
use crate::failure::Failure;
use crate::service::Control;

/// The list.
const WORKERS: &str = "/lambent/workers";
/// Where the paths of hosts begin.
const DRAINS: &str = "/lambent/drains/";
/// The longest name of a host.
const HOST_BYTES_MAX: usize = 253;

/// Whether a path is one of these.
pub(crate) fn is_of_workers(path: &str) -> bool {
    path == WORKERS || path.starts_with(DRAINS)
}

/// What is asked for.
#[derive(PartialEq, Eq, Debug)]
enum Wish {
    List,
    Drain(String),
    Undo(String),
}

impl Wish {
    fn of(method: &Method, path: &str) -> Option<Self> {
        if path == WORKERS {
            return (method == Method::GET).then_some(Self::List);
        }
        let host = decode(path.strip_prefix(DRAINS)?)?.into_owned();
        match *method {
            Method::PUT if is_host(&host) => Some(Self::Drain(host)),
            Method::DELETE if is_host(&host) => Some(Self::Undo(host)),
            _ => None,
        }
    }
}

/// Whether a text can be a host's name, as certificates have it.
fn is_host(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !text.is_empty() && text.len() <= HOST_BYTES_MAX && text.bytes().all(letters)
}

impl Control {
    /// One request to this API.
    pub(crate) async fn of_workers(
        &self,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        let signed = Signed::parse(parts).map_err(ApiError::from)?;
        signed.require_service("lambda").map_err(ApiError::from)?;
        let requester = self
            .authenticator
            .authenticate(&signed, parts, body)
            .await
            .map_err(ApiError::from)?;
        let scope = Scope {
            account: requester.account().clone(),
            region: self.config.regions.of(&signed)?,
        };
        let wish = Wish::of(&parts.method, parts.uri.path()).ok_or_else(|| {
            ApiError::not_found(
                "No such path or method. Supported are listing workers, and draining a host and undoing that.",
            )
        })?;
        let (action, resource) = match &wish {
            Wish::List => ("lambent:ListWorkers", "worker/*".to_owned()),
            Wish::Drain(host) | Wish::Undo(host) => ("lambent:DrainHost", format!("host/{host}")),
        };
        let resource = format!(
            "arn:aws:lambent:{}:{}:{resource}",
            scope.region, scope.account
        );
        let decided = requester.authorise(Ask {
            action,
            resource: &resource,
            owner: &scope.account,
            policy: None,
            context: Context::new(),
        });
        decided.map_err(|denied| ApiError::access_denied(denied.told()))?;
        if scope.account != self.config.operator {
            let message = "Workers are for the operator's account alone.";
            return Err(ApiError::access_denied(message).into());
        }
        match wish {
            Wish::List => {
                let views = self.workers().await?;
                let workers = views.iter().map(Worker::from).collect();
                Ok(json(StatusCode::OK, &Workers { workers }))
            }
            Wish::Drain(host) => {
                let drains = self.drains()?;
                let known = self.workers().await?;
                if !known
                    .iter()
                    .any(|view| !view.silent && view.last.host == host)
                {
                    let message = format!(
                        "No worker runs on the host {host}; `lambent workers` lists those there are."
                    );
                    return Err(ApiError::not_found(message).into());
                }
                drains.drain(&host).await.map_err(tables::Failure::Table)?;
                tracing::info!(host, "an operator drains a host");
                Ok(empty(StatusCode::NO_CONTENT))
            }
            Wish::Undo(host) => {
                let undone = self.drains()?.undo(&host).await;
                undone.map_err(tables::Failure::Table)?;
                tracing::info!(host, "an operator drains a host no more");
                Ok(empty(StatusCode::NO_CONTENT))
            }
        }
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, Failure> {
        Ok(self.placement.workers().await?)
    }

    fn drains(&self) -> Result<&membership::Drains, ApiError> {
        self.drains.as_ref().ok_or_else(|| {
            ApiError::validation(
                "This server is one process with one worker, to whose environments there is no other place: stop the \
                 server instead, which finishes what runs. Hosts of a cluster (`lambent run`) can be drained.",
            )
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Workers {
    workers: Vec<Worker>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Worker {
    worker: String,
    host: String,
    zone: String,
    version: String,
    /// `ready`, `draining`, or `silent`: its heartbeats are missing.
    state: &'static str,
    /// What its environments are entitled to.
    committed_mb: u64,
    used_mb: u64,
    memory_mb: u64,
    busy: u32,
    idle: u32,
    silent_ms: u64,
}

impl From<&WorkerView> for Worker {
    fn from(view: &WorkerView) -> Self {
        let last = &view.last;
        Self {
            worker: last.worker.to_string(),
            host: last.host.clone(),
            zone: last.zone.clone(),
            version: last.version.clone(),
            state: match (view.silent, last.draining) {
                (true, _) => "silent",
                (false, true) => "draining",
                (false, false) => "ready",
            },
            committed_mb: last.committed_mb,
            used_mb: last.used_mb,
            memory_mb: last.memory_mb,
            busy: last.busy,
            idle: last.idle,
            silent_ms: view.silent_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_hosts_can_be_drained() {
        let of = |method: Method, path: &str| Wish::of(&method, path);
        assert_eq!(of(Method::GET, "/lambent/workers"), Some(Wish::List));
        assert_eq!(of(Method::PUT, "/lambent/workers"), None);
        let drain = Wish::Drain("h-1.example".to_owned());
        assert_eq!(of(Method::PUT, "/lambent/drains/h-1.example"), Some(drain));
        let undo = Wish::Undo("h1".to_owned());
        assert_eq!(of(Method::DELETE, "/lambent/drains/%681"), Some(undo));
        for nothing in ["", "a%2Fb", "a/b", "%00", "ä", "*", "a b"] {
            assert_eq!(of(Method::PUT, &format!("/lambent/drains/{nothing}")), None);
        }
    }

    proptest! {
        #[test]
        fn any_path_is_a_wish_or_none(path in "(/lambent/drains/)?[ -~]{0,300}") {
            if let Some(Wish::Drain(host)) = Wish::of(&Method::PUT, &path) {
                prop_assert!(is_host(&host));
            }
        }
    }
}
