//! gRPC's health service, for whatever watches processes from outside: `grpc.health.v1.Health/Check`.
//!
//! ```text
//!   request   { string service = 1 }    empty for the whole process, or `lambent.Counting` …
//!   response  { enum status = 1 }       1: it is served
//! ```
//!
//! Its two messages are small enough to be read and written by hand.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use tonic::Status;
use types::Role;

use crate::message::MESSAGE_BYTES_MAX;
use crate::served::{Rights, Served};

pub(crate) const CHECK: &str = "/grpc.health.v1.Health/Check";
/// `status: SERVING`.
const SERVING: &[u8] = &[0x08, 0x01];
/// The field `service`, whose length follows: a text.
const SERVICE: u8 = 0x0a;

impl Served {
    /// Answers that the process serves, and what. Any role may ask.
    pub fn health(&mut self) {
        let services: Vec<String> = self
            .rights()
            .into_iter()
            .filter_map(|(path, _)| Some(path.split('/').nth(1)?.to_owned()))
            .collect();
        let answer = move |request: &[u8]| {
            let service = service(request).ok_or_else(|| {
                Status::invalid_argument(
                    "the request names no service: is it a HealthCheckRequest?",
                )
            })?;
            match service.is_empty() || services.iter().any(|known| known == service) {
                true => Ok(Bytes::from_static(SERVING)),
                false => Err(Status::not_found("this process does not serve it")),
            }
        };
        let rights = Rights {
            callers: &Role::ALL,
            largest: MESSAGE_BYTES_MAX,
        };
        self.bare(
            CHECK,
            rights,
            Arc::new(move |_, request| std::future::ready(answer(&request)).boxed()),
        );
    }
}

/// The service that a request asks about. `None` if it is no such request.
fn service(request: &[u8]) -> Option<&str> {
    match request {
        [] => Some(""),
        [SERVICE, length, name @ ..] if *length < 0x80 && usize::from(*length) == name.len() => {
            std::str::from_utf8(name).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_is_read_as_it_was_written(name in "[a-zA-Z.]{0,100}") {
            let mut request = vec![SERVICE, u8::try_from(name.len()).unwrap()];
            request.extend_from_slice(name.as_bytes());
            prop_assert_eq!(service(&request), Some(name.as_str()));
        }

        #[test]
        fn no_bytes_break_it(request in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(name) = service(&request) {
                prop_assert!(request.ends_with(name.as_bytes()));
            }
        }
    }
}
