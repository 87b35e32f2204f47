//! Requests to IAM and STS, which use the same protocol: a form, answered in XML.

use std::sync::Arc;

use authn::Authenticator;
use authn::identity::{Identities, PrincipalKind};
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use keyring::Keyring;
use storage::Table;
use tables::Rows;
use types::{Clock, Random, RequestId};
use wire::query::{IAM_NAMESPACE, Query, QueryError, STS_NAMESPACE};
use wire::sigv4::{self, Signed};

use crate::iam::{Iam, KeyUses, Resealing};
use crate::keys::{Sessions, UserKeys};
use crate::sts::{self, Sts};

/// What the role needs.
pub struct Dependencies {
    /// Where users, groups, roles and policies are stored.
    pub table: Arc<dyn Table>,
    /// All access keys.
    pub identities: Arc<dyn Identities>,
    /// Verifies their signatures.
    pub authenticator: Arc<Authenticator>,
    /// What users' secrets and sessions are sealed by.
    pub keyring: Arc<Keyring>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random ids and secrets.
    pub random: Arc<dyn Random>,
}

/// IAM and STS. Cheap to share behind an `Arc`; all state is in the table.
pub struct Service {
    authenticator: Arc<Authenticator>,
    iam: Arc<Iam>,
    sts: Sts,
    keyring: Arc<Keyring>,
}

impl Service {
    /// Both services over one table.
    pub fn new(dependencies: Dependencies) -> Self {
        let Dependencies {
            table,
            identities,
            authenticator,
            keyring,
            clock,
            random,
        } = dependencies;
        let rows = Arc::new(Rows::new(table));
        let iam = Iam::new(
            Arc::clone(&rows),
            Arc::clone(&clock),
            Arc::clone(&random),
            UserKeys::new(&keyring),
            Arc::clone(&identities),
        );
        Self {
            authenticator,
            iam: Arc::new(iam),
            sts: Sts {
                rows,
                clock,
                random,
                sessions: Sessions::new(&keyring),
                identities,
            },
            keyring,
        }
    }

    /// The part that seals users' access keys by the newest master key: run that, too.
    pub fn resealing(&self) -> Resealing {
        Resealing::new(Arc::clone(&self.iam), Arc::clone(&self.keyring))
    }

    /// The part that stores when users' access keys were used: run that, too.
    pub fn key_uses(&self) -> KeyUses {
        KeyUses::new(Arc::clone(&self.iam))
    }

    /// Answers a request, and never fails: errors are in the words of the service that it was signed
    /// for.
    pub async fn answer(&self, parts: &Parts, body: &Bytes, id: RequestId) -> Response<Bytes> {
        let namespace = match Signed::parse(parts) {
            Ok(signed) if signed.service == "iam" => IAM_NAMESPACE,
            _ => STS_NAMESPACE,
        };
        let answer = self.query(parts, body, id).await;
        answer.unwrap_or_else(|error| error.response(namespace, id))
    }

    async fn query(
        &self,
        parts: &Parts,
        body: &Bytes,
        request_id: RequestId,
    ) -> Result<Response<Bytes>, QueryError> {
        let query = Query::parse(parts, body)?;
        let signed = match Signed::parse(parts) {
            Err(sigv4::Error::Missing) => {
                let missing = QueryError::from(sigv4::Error::Missing);
                return Err(sts::unsigned(&query).unwrap_or(missing));
            }
            signed => signed?,
        };
        if signed.service != "iam" {
            signed.require_service("sts")?;
        }
        let requester = self
            .authenticator
            .authenticate(&signed, parts, body)
            .await?;
        if signed.service != "iam" {
            let call = sts::Call {
                requester: &requester,
                query: &query,
                access_key_id: &signed.access_key_id,
            };
            return self.sts.answer(&call, request_id).await;
        }
        // Users and accounts cannot call IAM with temporary keys, except with multi-factor
        // authentication.
        let kind = requester.principal().map(|principal| &principal.kind);
        if requester.session().is_some() && !matches!(kind, Some(PrincipalKind::Role { .. })) {
            return Err(QueryError::invalid_client_token());
        }
        self.iam.answer(&requester, &query, request_id).await
    }
}
