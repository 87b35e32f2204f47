//! IAM over a table in memory: what it answers, and what it refuses.

mod answers;
mod evaluated;
mod orders;
mod races;
mod renames;
mod resealed;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Secret;
use authn::authorisation::{Circumstances, Requester};
use authn::identity::{AccessKey, Principal, PrincipalKind};
use http::Response;
use keyring::Keyring;
use policy::{Form, Permissions, Policy};
use storage::Table;
use tables::Rows;
use types::{AccountId, ManualClock, RequestId, SystemRandom, Timestamp};
use wire::query::{Query, QueryError};

use super::Iam;
use crate::keys::UserKeys;
use crate::{Keys, UnknownRoles};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:*","Resource":"*"}}"#;
const POLICY: &str = "arn:aws:iam::000000000000:policy/p";

fn iam(table: Arc<dyn Table>) -> Iam {
    iam_and_keys(table).0
}

/// With the directory that authenticates its users.
fn iam_and_keys(table: Arc<dyn Table>) -> (Iam, Arc<Keys>) {
    iam_and_keys_of(table, &Arc::new(Keyring::from_bytes([7; 32])))
}

fn iam_and_keys_of(table: Arc<dyn Table>, keyring: &Arc<Keyring>) -> (Iam, Arc<Keys>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_769_854_830_123)));
    let random = Arc::new(SystemRandom);
    let (roots, unknown) = (Vec::new(), UnknownRoles::default());
    let keys = Keys::new(
        roots,
        &unknown,
        keyring,
        Arc::clone(&table),
        clock.clone(),
        random.clone(),
    );
    let keys = Arc::new(keys.unwrap());
    let rows = Arc::new(Rows::new(table));
    let iam = Iam::new(rows, clock, random, UserKeys::new(keyring), keys.clone());
    (iam, keys)
}

fn requester(kind: PrincipalKind, arn: &str, permissions: Permissions) -> Requester {
    let key = AccessKey {
        secret: Secret::new("s"),
        principal: Principal {
            account: AccountId::new("000000000000").unwrap(),
            arn: arn.to_owned(),
            user_id: "000000000000".to_owned(),
            kind,
        },
        permissions: Arc::new(permissions),
        session: None,
    };
    let circumstances = Circumstances {
        now: Timestamp::from_millis(1_769_854_830_123),
        origin: None,
        user_agent: None,
        region: None,
    };
    Requester::signed(key, circumstances)
}

fn root() -> Requester {
    let permissions = Permissions {
        everything: true,
        ..Permissions::NONE
    };
    let arn = "arn:aws:iam::000000000000:root";
    requester(PrincipalKind::Root, arn, permissions)
}

/// The user `ann`, with the permissions of that policy.
fn ann(policy: &str) -> Requester {
    let permissions = Permissions {
        policies: vec![Arc::new(Policy::parse(policy, Form::Identity).unwrap())],
        tags: BTreeMap::new(),
        ..Permissions::NONE
    };
    let name = "ann".to_owned();
    let arn = "arn:aws:iam::000000000000:user/ann";
    requester(PrincipalKind::User { name }, arn, permissions)
}

fn query(action: &str, parameters: &[(&str, &str)]) -> Query {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Query {
        action: action.to_owned(),
        parameters: parameters.iter().map(own).collect(),
    }
}

async fn ask(
    iam: &Iam,
    who: &Requester,
    action: &str,
    parameters: &[(&str, &str)],
) -> Result<String, QueryError> {
    let query = query(action, parameters);
    let id = RequestId::from_uuid(Default::default());
    let answer = iam.answer(who, &query, id).await.map(Response::into_body)?;
    Ok(String::from_utf8(answer.to_vec()).unwrap())
}

/// Calls as the account itself, and must succeed.
async fn done(iam: &Iam, action: &str, parameters: &[(&str, &str)]) -> String {
    let answer = ask(iam, &root(), action, parameters).await;
    answer.unwrap_or_else(|error| panic!("{action}: {error}"))
}

/// Calls as the account itself, must be refused, and returns the error.
async fn refused(iam: &Iam, action: &str, parameters: &[(&str, &str)]) -> (String, String) {
    let error = ask(iam, &root(), action, parameters).await.unwrap_err();
    (error.code.to_owned(), error.message)
}
