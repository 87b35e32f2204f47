//! Scripted queues, topics, buses and buckets, instead of services.

use std::sync::{Mutex, MutexGuard, PoisonError};

use api::Secret;
use api::credentials::{Credentials, Error as CredentialsError, RoleCredentials};
use async_trait::async_trait;
use aws::Keys;
use bytes::Bytes;
use http::Response;
use types::{FunctionArn, Timestamp};

use super::functions::KEY;
use crate::destinations::Error;
use crate::destinations::peers::{Call, Peers, taken};

/// What the services answer: with the first call that delivers, the second and so on, a status; with all
/// others 200.
#[derive(Default)]
pub(super) struct Services(Mutex<Known>);

#[derive(Default)]
struct Known {
    statuses: Vec<u16>,
    /// How many of the next calls are never answered.
    swallowed: usize,
    /// The path of all queues, if it is not the usual one.
    queues: Option<&'static str>,
    /// How often somebody asked for it.
    asked: usize,
    taken: Vec<Call>,
    refused: usize,
}

impl Services {
    /// What they answer to the next calls, the last one first.
    pub(super) fn answer(&self, statuses: &[u16]) {
        self.known().statuses = statuses.iter().rev().copied().collect();
    }

    /// Leave the next `calls` that deliver without an answer, for ever.
    pub(super) fn swallow(&self, calls: usize) {
        self.known().swallowed = calls;
    }

    /// Has queues at `path` and nowhere else.
    pub(super) fn have_queues_at(&self, path: &'static str) {
        self.known().queues = Some(path);
    }

    /// How often somebody asked for a queue's path.
    pub(super) fn asked(&self) -> usize {
        self.known().asked
    }

    /// What was delivered, in order.
    pub(super) fn taken(&self) -> Vec<Call> {
        self.known().taken.clone()
    }

    /// How many deliveries were refused.
    pub(super) fn refused(&self) -> usize {
        self.known().refused
    }

    fn swallows(&self) -> bool {
        let mut known = self.known();
        let swallows = known.swallowed > 0;
        known.swallowed = known.swallowed.saturating_sub(1);
        swallows
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Peers for Services {
    async fn send(&self, call: Call, key: &Keys) -> Result<Response<Bytes>, Error> {
        assert_eq!(key.access_key_id, KEY);
        if self.swallows() {
            return std::future::pending().await;
        }
        let answer = |status, body: &str| {
            let response = Response::builder().status(status);
            taken(Ok(response
                .body(Bytes::copy_from_slice(body.as_bytes()))
                .unwrap()))
        };
        let mut known = self.known();
        if call.body.starts_with(b"Action=GetQueueUrl") {
            known.asked += 1;
            let path = known.queues.unwrap_or("/000000000000/q");
            return answer(200, &format!("<QueueUrl>http://h{path}</QueueUrl>"));
        }
        if call.service == "sqs" && known.queues.is_some_and(|path| path != call.path) {
            let code = "AWS.SimpleQueueService.NonExistentQueue";
            return answer(400, &format!("<Error><Code>{code}</Code></Error>"));
        }
        let status = known.statuses.pop().unwrap_or(200);
        match status {
            200 => known.taken.push(call),
            _ => known.refused += 1,
        }
        answer(
            status,
            "{\"FailedEntryCount\":0,\"Entries\":[{\"EventId\":\"1\"}]}",
        )
    }
}

/// Keys that tell whose they are.
pub(super) struct AnyRole;

#[async_trait]
impl RoleCredentials for AnyRole {
    async fn for_function(
        &self,
        role: &str,
        _function: &FunctionArn,
    ) -> Result<Credentials, CredentialsError> {
        Ok(Credentials {
            access_key_id: format!("ASIA-{role}"),
            secret_access_key: Secret::new("s"),
            session_token: Secret::new("t"),
            expires: Timestamp::default(),
        })
    }
}
