//! Waits until an accepted change is done.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::{Live, shape};
use crate::api::{Error, lambda};

/// Lambda takes minutes at most; what takes longer has gone wrong.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// Between the first two looks; then longer and longer.
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_secs(1);

/// What a look tells.
pub(super) enum Look<T> {
    /// It is done.
    Done(T),
    /// It came to nothing, for that reason.
    Failed(String),
    /// It is in that state.
    Not(String),
}

/// Looks until it is done.
pub(super) async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<Look<T>, Error>>,
{
    let begun = Instant::now();
    let mut wait = LOOK_FIRST;
    loop {
        let state = match look().await? {
            Look::Done(value) => return Ok(value),
            Look::Failed(reason) => return Err(Error::Failed(format!("{what}: {reason}"))),
            Look::Not(state) => state,
        };
        if begun.elapsed() > WAIT_MAX {
            return Err(Error::Late {
                what: what.to_owned(),
                state,
                seconds: WAIT_MAX.as_secs(),
            });
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 3 / 2).min(LOOK_MAX);
    }
}

impl Live {
    /// Waits until a function, or one of its versions, can be invoked as it was last described.
    pub(super) async fn settled(&self, name: &str, qualifier: Option<&str>) -> Result<(), Error> {
        let mut path = format!("/2015-03-31/functions/{}", shape::in_path(name));
        if let Some(qualifier) = qualifier {
            path = format!("{path}?Qualifier={}", shape::in_path(qualifier));
        }
        until(name, || async {
            let answer = lambda(self.api(), Method::GET, path.as_str(), None).await?;
            let answer = answer.get("Configuration").cloned().unwrap_or_default();
            Ok(progress(&answer))
        })
        .await
    }
}

fn progress(configuration: &Value) -> Look<()> {
    let member = |name: &str| {
        let value = configuration.get(name).and_then(Value::as_str);
        value.unwrap_or_default()
    };
    match (member("State"), member("LastUpdateStatus")) {
        ("Failed", _) => Look::Failed(member("StateReason").to_owned()),
        (_, "Failed") => Look::Failed(member("LastUpdateStatusReason").to_owned()),
        ("Active" | "Inactive", "Successful" | "") => Look::Done(()),
        ("Active", update) => Look::Not(update.to_owned()),
        (state, _) => Look::Not(state.to_owned()),
    }
}
