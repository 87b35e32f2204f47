//! Requests to CloudWatch Logs: an action in a header, JSON.

use std::sync::Arc;

use authn::{Authenticator, Regions};
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use storage::Table;
use tables::Rows;
use types::{Clock, RequestId};
use wire::ApiError;
use wire::json_rpc::JsonError;
use wire::sigv4::Signed;

use crate::cloudwatch::{CloudWatch, Keeper};
use crate::store::Store;

/// What an operator can configure for logs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The regions that are served.
    pub regions: Regions,
    /// The default retention in days; `None` for ever.
    pub retention_days: Option<u32>,
}

/// What the role needs.
pub struct Dependencies {
    /// Where groups are stored.
    pub table: Arc<dyn Table>,
    /// Where events are stored.
    pub store: Arc<dyn Store>,
    /// Verifies signatures.
    pub authenticator: Arc<Authenticator>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// CloudWatch Logs. Cheap to share behind an `Arc`; all state is in the stores.
pub struct Service {
    cloudwatch: CloudWatch,
    authenticator: Arc<Authenticator>,
    regions: Regions,
}

impl Service {
    /// The service, and the part of it that removes what is too old: run that for as long as this
    /// serves.
    pub fn new(config: Config, dependencies: Dependencies) -> (Self, Keeper) {
        let Dependencies {
            table,
            store,
            authenticator,
            clock,
        } = dependencies;
        let rows = Arc::new(Rows::new(table));
        let (cloudwatch, keeper) = CloudWatch::new(rows, store, clock, config.retention_days);
        let service = Self {
            cloudwatch,
            authenticator,
            regions: config.regions,
        };
        (service, keeper)
    }

    /// Answers a request, and never fails.
    pub async fn answer(&self, parts: &Parts, body: &Bytes, id: RequestId) -> Response<Bytes> {
        let answer = self.verified(parts, body).await;
        answer.unwrap_or_else(|error| error.response(id))
    }

    async fn verified(&self, parts: &Parts, body: &Bytes) -> Result<Response<Bytes>, JsonError> {
        let signed = Signed::parse(parts).map_err(ApiError::from)?;
        let requester = self
            .authenticator
            .authenticate(&signed, parts, body)
            .await
            .map_err(ApiError::from)?;
        let region = self.regions.of(&signed)?;
        self.cloudwatch
            .answer(parts, body, &requester, region)
            .await
    }
}
