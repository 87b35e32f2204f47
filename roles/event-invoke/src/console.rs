//! Events and queues for people: an API of this system's own, behind `lambent queues` and
//! `lambent events`.
//!
//! ```text
//!   GET  /lambent/event-queues               {"Queues": [{…}, …]}
//!   GET  /lambent/events/<function>          {"Pending": [{…}, …], "Failed": [{…}, …], "Incomplete": false}
//!   POST /lambent/events/<function>/redrive  {"Redriven": n}
//! ```
//!
//! Signed as requests to Lambda are; the actions are `lambent:ListEventQueues`, `lambent:ListEvents`
//! and `lambent:RedriveEvents`. Events are shown to their function's account alone. Shared queues say how
//! much everybody has to do, and other queues name other people's functions: so the operator's account sees
//! all queues, and every other one those of its own functions, in the region that was asked.

use api::events::{EventView, FunctionView, QueueView};
use authn::authorisation::Ask;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use policy::Context;
use serde::Serialize;
use types::{ForCallers as _, FunctionArn, RequestId, Scope};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::uri::decode;

use crate::frontend::{EventFrontend, refusal};
use crate::shards;

const QUEUES: &str = "/lambent/event-queues";
const EVENTS: &str = "/lambent/events/";
const REDRIVE: &str = "/redrive";

/// Whether a path is one of these.
pub fn is_console(path: &str) -> bool {
    path == QUEUES || path.starts_with(EVENTS)
}

/// What is asked for.
#[derive(PartialEq, Eq, Debug)]
enum Wish {
    Queues,
    Events(String),
    Redrive(String),
}

impl Wish {
    fn of(method: &Method, path: &str) -> Option<Self> {
        if path == QUEUES {
            return (method == Method::GET).then_some(Self::Queues);
        }
        let rest = path.strip_prefix(EVENTS)?;
        let (name, redrive) = match rest.strip_suffix(REDRIVE) {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let name = decode(name)?.into_owned();
        match (method, redrive) {
            (&Method::GET, false) => Some(Self::Events(name)),
            (&Method::POST, true) => Some(Self::Redrive(name)),
            _ => None,
        }
    }
}

impl EventFrontend {
    /// Answers a request to one of these paths. `size` is how many bytes its body had: none is
    /// taken, so it need not be read.
    pub async fn console(&self, request: Request<Bytes>, size: usize) -> Response<Bytes> {
        let id = RequestId::random(self.random.as_ref());
        let (parts, _) = request.into_parts();
        let answered = match size {
            0 => self.show(&parts).await,
            _ => Err(ApiError::validation("a body has no meaning here")),
        };
        let mut response = match answered {
            Ok(body) => Response::new(body),
            Err(error) => error.response(id),
        };
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(http::header::CONTENT_TYPE, json);
        let id = HeaderValue::try_from(id.to_string()).expect("a UUID is a header's text");
        headers.insert("x-amzn-requestid", id);
        response
    }

    async fn show(&self, parts: &Parts) -> Result<Bytes, ApiError> {
        let caller = self.admission.caller(parts, &Bytes::new()).await?;
        let wish = Wish::of(&parts.method, parts.uri.path());
        let wish = wish.ok_or_else(|| {
            ApiError::not_found("No such path or method. Supported are reading queues and events, and sending failed events again.")
        })?;
        let authorise = |action: &str, resource: &str, owner: &Scope| {
            let decided = caller.requester.authorise(Ask {
                action,
                resource,
                owner: &owner.account,
                policy: None,
                context: Context::new(),
            });
            decided.map_err(|denied| ApiError::access_denied(denied.told()))
        };
        match wish {
            Wish::Queues => {
                let Scope { account, region } = &caller.scope;
                let resource = format!("arn:aws:lambent:{region}:{account}:event-queue/*");
                authorise("lambent:ListEventQueues", &resource, &caller.scope)?;
                let mut queues = self.events.queues().await.map_err(refusal)?;
                if *account != self.operator {
                    queues.retain(|view| is_of(&view.queue, &caller.scope));
                }
                let queues = queues.into_iter().map(Queue::from).collect();
                Ok(json(&Queues { queues }))
            }
            Wish::Events(name) => {
                let arn = function(&name, &caller.scope)?;
                authorise("lambent:ListEvents", &arn.to_string(), &arn.scope)?;
                let view = self.events.function(&arn.scope, &arn.name).await;
                let view = view.map_err(refusal)?;
                // Events outlive their function; a name without either is a mistake.
                if view == FunctionView::default() {
                    self.admission.find(&arn).await?;
                }
                Ok(json(&Events::from(view)))
            }
            Wish::Redrive(name) => {
                let arn = function(&name, &caller.scope)?;
                authorise("lambent:RedriveEvents", &arn.to_string(), &arn.scope)?;
                let sent = self.events.redrive(&arn.scope, &arn.name).await;
                let redriven = sent.map_err(refusal)?;
                if redriven == 0 {
                    self.admission.find(&arn).await?;
                }
                Ok(json(&Redriven { redriven }))
            }
        }
    }
}

/// Whether a queue has events of one account's functions, in one region, and no others.
fn is_of(queue: &str, scope: &Scope) -> bool {
    shards::function(queue).is_some_and(|function| function.scope == *scope)
}

/// The function of a name, whose events are shown whatever version or alias they are for.
fn function(name: &str, scope: &Scope) -> Result<FunctionArn, ApiError> {
    let arn = resolve(Naming::Namespaced, name, None, scope)?;
    if arn.qualifier.is_some() {
        let message = "events are those of a function: leave out its version or alias";
        return Err(ApiError::validation(message));
    }
    Ok(arn)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Queues {
    queues: Vec<Queue>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Queue {
    queue: String,
    waiting: u64,
    hidden: u64,
    oldest_ms: u64,
}

impl From<QueueView> for Queue {
    fn from(view: QueueView) -> Self {
        Self {
            queue: view.queue,
            waiting: view.waiting,
            hidden: view.hidden,
            oldest_ms: view.oldest_ms,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Events {
    pending: Vec<Event>,
    failed: Vec<Event>,
    incomplete: bool,
}

impl From<FunctionView> for Events {
    fn from(view: FunctionView) -> Self {
        Self {
            pending: view.pending.into_iter().map(Event::from).collect(),
            failed: view.failed.into_iter().map(Event::from).collect(),
            incomplete: view.incomplete,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    request_id: RequestId,
    function_arn: String,
    accepted: String,
    invokes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    delivering: bool,
}

impl From<EventView> for Event {
    fn from(view: EventView) -> Self {
        Self {
            request_id: view.request,
            function_arn: view.arn,
            accepted: view.accepted.to_iso_text(),
            invokes: view.invokes,
            last: view.last,
            delivering: view.delivering,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Redriven {
    redriven: u64,
}

fn json(answer: &impl Serialize) -> Bytes {
    let body = serde_json::to_vec(answer).expect("answers are structs of texts and numbers");
    body.into()
}

#[cfg(test)]
mod tests {
    use types::{AccountId, Region};

    use super::*;

    #[test]
    fn a_path_and_a_method_are_a_wish() {
        let events = |name: &str| Some(Wish::Events(name.to_owned()));
        for (method, path, wish) in [
            (Method::GET, "/lambent/event-queues", Some(Wish::Queues)),
            (Method::POST, "/lambent/event-queues", None),
            (Method::GET, "/lambent/events/f", events("f")),
            (Method::GET, "/lambent/events/f%3Alive", events("f:live")),
            (Method::GET, "/lambent/events/", events("")),
            (Method::GET, "/lambent/events/f/redrive", None),
            (Method::DELETE, "/lambent/events/f", None),
            (Method::POST, "/lambent/events/f", None),
            (Method::GET, "/lambent/events/%ff", None),
        ] {
            assert_eq!(Wish::of(&method, path), wish, "{method} {path}");
            assert!(is_console(path));
        }
        let redrive = Wish::of(&Method::POST, "/lambent/events/f/redrive");
        assert_eq!(redrive, Some(Wish::Redrive("f".to_owned())));
        assert!(!is_console("/lambent/event-queues/x") && !is_console("/lambent/events"));
    }

    #[test]
    fn an_account_sees_the_queues_of_its_own_functions() {
        let scope = |account, region| Scope {
            account: AccountId::new(account).unwrap(),
            region: Region::new(region).unwrap(),
        };
        let queue = "events/function/111111111111/us-east-1/f";
        assert!(is_of(queue, &scope("111111111111", "us-east-1")));
        assert!(!is_of(queue, &scope("111111111111", "eu-west-1")));
        assert!(!is_of(queue, &scope("222222222222", "us-east-1")));
        for others in ["events/shared/0", "events/unreadable", "events/function/"] {
            assert!(!is_of(others, &scope("111111111111", "us-east-1")));
        }
    }
}
