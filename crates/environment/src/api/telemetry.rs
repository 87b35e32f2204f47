//! `/2022-07-01/telemetry` and `/2020-08-15/logs`: how extensions subscribe.

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use types::ForCallers as _;

use super::extensions::identifier;
use super::reply::{Reply, collect, error, refused};
use crate::machine::Refusal;
use crate::session::Session;
use crate::telemetry::{Subscription, TelemetryApi};

/// Bytes of a subscription; real ones have hundreds.
const BODY_BYTES_MAX: usize = 64 * 1024;

pub(super) async fn put(session: &Session, request: Request<Incoming>, api: TelemetryApi) -> Reply {
    let id = match identifier(&request) {
        Ok(id) => id,
        Err(reply) => return reply,
    };
    let Ok(body) = collect(request.into_body(), BODY_BYTES_MAX).await else {
        return invalid("the body is too large or broken");
    };
    let subscription = match Subscription::parse(api, &body) {
        Ok(subscription) => subscription,
        Err(error) => return invalid(&error.told()),
    };
    match session.subscribe(id, subscription) {
        Ok(()) => Response::new("OK".into()),
        Err(Refusal::WrongState) => closed(api),
        Err(refusal) => refused(refusal),
    }
}

fn invalid(message: &str) -> Reply {
    error(StatusCode::BAD_REQUEST, "ValidationError", message)
}

fn closed(api: TelemetryApi) -> Reply {
    let name = match api {
        TelemetryApi::Telemetry => "Telemetry",
        TelemetryApi::Logs => "Logs",
    };
    error(
        StatusCode::FORBIDDEN,
        &format!("{name}.SubscriptionClosed"),
        &format!("{name} API subscription is closed already"),
    )
}
