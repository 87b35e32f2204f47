//! No two mappings have the same source and the same function.
//!
//! There is no transaction over two rows, so a mapping claims its identity in a row of its own:
//!
//! ```text
//!   claim ─▶ write the mapping ─▶ confirm the claim (the same row written once more)
//! ```
//!
//! A claim whose mapping does not exist, or has changed by now, was left by a crash or belongs to a
//! request between the first two steps; the request that takes it over makes the other's confirmation
//! fail.

use data_encoding::HEXLOWER;
use records::event_sources::{Claim, Mapping, Source, claim_key, mapping_key};
use ring::digest::{SHA256, digest};
use storage::{Expect, Revision};
use tables::{Rows, TRIES_MAX};
use types::Scope;

use crate::failure::Failure;

/// A claim that is to be confirmed.
pub(super) struct Claimed {
    key: String,
    claim: Claim,
    revision: Revision,
}

/// Who has claimed the same identity.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Its mapping.
    pub(super) by: String,
}

/// What no two mappings may share. Hashed, as names of topics and lists of brokers have any length.
pub(super) fn identity(mapping: &Mapping) -> String {
    let source = match &mapping.source {
        Source::SelfManagedKafka {
            bootstrap_servers,
            topic,
            ..
        } => {
            let mut servers = bootstrap_servers.clone();
            servers.sort();
            format!("{}\n{topic}", servers.join(","))
        }
        Source::ManagedKafka { arn, topic, .. } => format!("{arn}\n{topic}"),
        Source::Broker { arn, queue } => format!("{arn}\n{queue}"),
        Source::DocumentDb {
            arn,
            database,
            collection,
            ..
        } => format!("{arn}\n{database}\n{collection:?}"),
        Source::Queue { arn } | Source::Kinesis { arn } | Source::DynamoDb { arn } => arn.clone(),
    };
    let text = format!("{}\n{source}", mapping.function);
    HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Claims a mapping's identity for it.
pub(super) async fn claim(
    rows: &Rows,
    mapping: &Mapping,
) -> Result<Result<Claimed, Taken>, Failure> {
    let identity = identity(mapping);
    let key = claim_key(&mapping.scope, &identity);
    let claim = Claim {
        mapping: mapping.id.clone(),
    };
    for _ in 0..TRIES_MAX {
        let expect = match rows.get::<Claim>(&key).await? {
            None => Expect::Absent,
            Some((holder, revision)) => {
                let holds = holds(rows, &mapping.scope, &holder, &identity).await?;
                if holds && holder != claim {
                    return Ok(Err(Taken { by: holder.mapping }));
                }
                Expect::Revision(revision)
            }
        };
        if let Some(revision) = rows.put(&key, &claim, expect).await? {
            return Ok(Ok(Claimed {
                key,
                claim,
                revision,
            }));
        }
    }
    Err(Failure::contended(key))
}

/// After the mapping is written: `false` if another took the claim over meanwhile.
pub(super) async fn confirm(rows: &Rows, claimed: &Claimed) -> Result<bool, Failure> {
    let expect = Expect::Revision(claimed.revision);
    let written = rows.put(&claimed.key, &claimed.claim, expect).await?;
    Ok(written.is_some())
}

/// Gives up the claim of a mapping that was deleted or has changed.
pub(super) async fn release(rows: &Rows, mapping: &Mapping) -> Result<(), Failure> {
    let key = claim_key(&mapping.scope, &identity(mapping));
    if let Some((claim, revision)) = rows.get::<Claim>(&key).await?
        && claim.mapping == mapping.id
    {
        rows.delete(&key, Expect::Revision(revision)).await?;
    }
    Ok(())
}

async fn holds(rows: &Rows, scope: &Scope, claim: &Claim, wanted: &str) -> Result<bool, Failure> {
    let found = rows.get(&mapping_key(scope, &claim.mapping)).await?;
    Ok(found.is_some_and(|(mapping, _): (Mapping, _)| identity(&mapping) == wanted))
}
