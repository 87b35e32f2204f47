//! What functions of a scope have reserved for themselves, and room for more of it.
//!
//! ```text
//!   concurrency-claim/<account>/<region>      Claims
//!
//!   1. a claim is added, by compare-and-set      behind all existing ones
//!   2. rows and the claims before it are summed  no room: the claim is taken out, refused
//!   3. the function's row, or that of its provisioned concurrency, is written
//!   4. the claim is taken out
//! ```
//!
//! So of two concurrent requests one is behind the other: the second counts what the first is about to
//! write. A function has one claim at a time, which also keeps its reservation and its provisioned
//! concurrency consistent. What a crash leaves expires.

use std::collections::BTreeMap;
use std::time::Duration;

use records::functions::{Function, PROVISIONED, attached_prefix, functions_prefix};
use records::provisioned::Provisioned;
use serde::{Deserialize, Serialize};
use storage::Expect;
use tables::decode;
use types::limits::UNRESERVED_CONCURRENCY_MIN;
use types::{FunctionArn, FunctionName, Qualifier, Scope, Timestamp};
use wire::ApiError;

use crate::failure::Failure;
use crate::service::Control;

/// A request that takes longer between claim and write has died: stores answer within seconds.
const LAPSES_AFTER: Duration = Duration::from_secs(15);
/// How many times a claim is tried. Most attempts fail because another claim was added first.
const CLAIM_TRIES_MAX: usize = 100;
/// While another request changes the same function: it takes a few milliseconds.
const PAUSE: Duration = Duration::from_millis(10);

/// The row.
#[derive(Default, Serialize, Deserialize)]
struct Claims {
    claims: Vec<Claim>,
}

/// One request in progress.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Claim {
    function: FunctionName,
    /// What the function will have for itself.
    share: u64,
    since: Timestamp,
    id: String,
}

/// What is to be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// The function's reservation becomes this.
    Reserve(u32),
    /// This much is provisioned under the qualifier that the function is named with.
    Provision(u32),
}

/// A claim of ours. To be given to [`Control::end_claim`], whatever its outcome.
pub(crate) struct Claimed {
    scope: Scope,
    function: FunctionName,
    share: u64,
    id: String,
    /// The claims before it.
    before: Vec<Claim>,
}

impl Control {
    /// Adds a claim, to change what a function has for itself.
    pub(crate) async fn claim(
        &self,
        arn: &FunctionArn,
        change: Change,
    ) -> Result<Claimed, Failure> {
        let key = claims_key(&arn.scope);
        let id = self.random.uuid().to_string();
        for _ in 0..CLAIM_TRIES_MAX {
            let (mut row, expect) = match self.rows.get::<Claims>(&key).await? {
                Some((row, revision)) => (row, Expect::Revision(revision)),
                None => (Claims::default(), Expect::Absent),
            };
            let now = self.clock.now();
            row.claims
                .retain(|other| now.since(other.since) < LAPSES_AFTER);
            if row.claims.iter().any(|other| other.function == arn.name) {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            // Nobody else changes the function's share now, if the claim is added.
            let share = self.share_after(arn, change).await?;
            let before = row.claims.clone();
            row.claims.push(Claim {
                function: arn.name.clone(),
                share,
                since: now,
                id: id.clone(),
            });
            if self.rows.put(&key, &row, expect).await?.is_some() {
                return Ok(Claimed {
                    scope: arn.scope.clone(),
                    function: arn.name.clone(),
                    share,
                    id,
                    before,
                });
            }
        }
        Err(ApiError::conflict(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: \
             {arn}"
        ))
        .into())
    }

    async fn share_after(&self, arn: &FunctionArn, change: Change) -> Result<u64, Failure> {
        let requested = match change {
            Change::Reserve(reserved) => return Ok(u64::from(reserved)),
            Change::Provision(requested) => requested,
        };
        let (function, _) = self.functions.existing(arn).await?;
        match function.reserved_concurrency {
            Some(reserved) => Ok(u64::from(reserved)),
            None => self.provisioned_with(arn, requested).await,
        }
    }

    /// Provisioned concurrency of the function if `requested` is set under this qualifier.
    pub(crate) async fn provisioned_with(
        &self,
        arn: &FunctionArn,
        requested: u32,
    ) -> Result<u64, Failure> {
        let mine = arn.qualifier.as_ref().map(Qualifier::to_string);
        let rows = self.provisioned_of(arn).await?;
        let others = rows
            .iter()
            .filter(|(qualifier, _)| Some(*qualifier) != mine.as_ref());
        let others: u64 = others.map(|(_, row)| u64::from(row.requested)).sum();
        Ok(others + u64::from(requested))
    }

    /// Whether the account has room for what is claimed. Lowering a share always fits.
    pub(crate) async fn has_room(&self, claimed: &Claimed) -> Result<bool, Failure> {
        let mut shares = self.shares(&claimed.scope).await?;
        let present = shares.remove(&claimed.function).unwrap_or_default();
        if claimed.share <= present {
            return Ok(true);
        }
        for claim in &claimed.before {
            // What it has already is not given to others before the claim is carried out.
            let other = shares.entry(claim.function.clone()).or_default();
            *other = claim.share.max(*other);
        }
        let limit = self.config.account_concurrency;
        let most = u64::from(limit.saturating_sub(UNRESERVED_CONCURRENCY_MIN));
        let others: u64 = shares.values().sum();
        Ok(others.saturating_add(claimed.share) <= most)
    }

    /// Removes a claim. If that fails, it expires.
    pub(crate) async fn end_claim(&self, claimed: Claimed) {
        let key = claims_key(&claimed.scope);
        for _ in 0..CLAIM_TRIES_MAX {
            let Ok(Some((mut row, revision))) = self.rows.get::<Claims>(&key).await else {
                return;
            };
            row.claims.retain(|claim| claim.id != claimed.id);
            let expect = Expect::Revision(revision);
            if !matches!(self.rows.put(&key, &row, expect).await, Ok(None)) {
                return;
            }
        }
    }

    /// What each function of a scope has for itself: its reservation, of which provisioned concurrency
    /// is a part, or else that.
    pub(crate) async fn shares(
        &self,
        scope: &Scope,
    ) -> Result<BTreeMap<FunctionName, u64>, Failure> {
        let prefix = format!("{PROVISIONED}{}/{}/", scope.account, scope.region);
        let mut provisioned: BTreeMap<String, u64> = BTreeMap::new();
        for row in self.rows.all(&prefix).await? {
            let name = row.key[prefix.len()..].split('/').next();
            let requested = u64::from(decode::<Provisioned>(&row)?.requested);
            *provisioned
                .entry(name.unwrap_or_default().to_owned())
                .or_default() += requested;
        }
        let functions = self
            .functions
            .all_functions(&functions_prefix(scope))
            .await?;
        let share = |function: Function| {
            let provisioned = provisioned.get(function.name.as_str()).copied();
            let reserved = function.reserved_concurrency.map(u64::from);
            let share = reserved.or(provisioned)?;
            Some((function.name, share))
        };
        Ok(functions.into_iter().filter_map(share).collect())
    }

    /// Provisioned concurrency requested for all aliases and versions of a function, by qualifier.
    pub(crate) async fn provisioned_of(
        &self,
        arn: &FunctionArn,
    ) -> Result<BTreeMap<String, Provisioned>, Failure> {
        let prefix = attached_prefix(PROVISIONED, &arn.scope, &arn.name);
        let rows = self.rows.all(&prefix).await?;
        let rows = rows
            .iter()
            .map(|row| Ok((row.key[prefix.len()..].to_owned(), decode(row)?)));
        rows.collect()
    }
}

fn claims_key(scope: &Scope) -> String {
    format!("concurrency-claim/{}/{}", scope.account, scope.region)
}
