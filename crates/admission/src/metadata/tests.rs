//! The cache over a real table.

use bytes::Bytes;
use records::functions::{Function, function_key};
use storage::Expect;
use storage::memory::MemoryTable;
use tokio::task::JoinSet;
use types::{FunctionArn, SystemRandom};

use super::functions::tests::{function, name, scope};
use super::*;

async fn put(table: &MemoryTable, function: &Function) {
    let value = Bytes::from(serde_json::to_vec(function).unwrap());
    let key = function_key(&scope(), &name());
    table.put(&key, value, Expect::Any).await.unwrap();
}

#[tokio::test]
async fn an_acknowledged_write_is_seen_by_the_next_invoke() {
    let table = Arc::new(MemoryTable::default());
    let metadata = Metadata::new(table.clone());
    let (told, mut ready) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(metadata.clone().watch(told));
    ready.recv().await.unwrap().unwrap();
    let arn = FunctionArn {
        scope: scope(),
        name: name(),
        qualifier: None,
    };
    // The watching task does not get to run in between: nothing here waits.
    for reserved in 1..100 {
        let active = records::functions::State::Active;
        put(&table, &function(active, 0, Some(reserved))).await;
        let found = metadata.resolve(&arn, &SystemRandom).await.unwrap();
        assert_eq!(found.reserved, Some(reserved));
    }
    let key = function_key(&scope(), &name());
    table.delete(&key, Expect::Any).await.unwrap();
    assert!(metadata.resolve(&arn, &SystemRandom).await.is_err());
}

#[tokio::test]
async fn a_function_that_the_watch_has_not_told_of_is_looked_for() {
    let table = Arc::new(MemoryTable::default());
    let metadata = Metadata::new(table.clone());
    put(
        &table,
        &function(records::functions::State::Active, 0, None),
    )
    .await;
    let arn = FunctionArn {
        scope: scope(),
        name: name(),
        qualifier: None,
    };
    assert!(metadata.resolve(&arn, &SystemRandom).await.is_ok());
}

#[tokio::test]
async fn a_function_that_has_just_become_active_is_not_refused_as_pending() {
    let table = Arc::new(MemoryTable::default());
    let metadata = Metadata::new(table.clone());
    let arn = FunctionArn {
        scope: scope(),
        name: name(),
        qualifier: None,
    };
    put(
        &table,
        &function(records::functions::State::Pending, 0, None),
    )
    .await;
    let refused = metadata.resolve(&arn, &SystemRandom).await.unwrap_err();
    assert_eq!(refused.code, "ResourceConflictException");
    // Nobody watches: the cache still says that it is pending.
    put(
        &table,
        &function(records::functions::State::Active, 0, None),
    )
    .await;
    assert!(metadata.resolve(&arn, &SystemRandom).await.is_ok());
}
