//! What happens to a function that calls itself in circles: `RecursiveLoop`.

use api::functions::{RECURSIONS, attached_key};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use storage::Expect;

use crate::answer::json;
use crate::body::parse_now;
use crate::failure::Failure;
use crate::service::{Call, Control};

/// Where nothing is set (AWS).
const DEFAULT: &str = "Terminate";

/// Request, answer and row.
#[derive(Clone, Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Recursion {
    recursive_loop: String,
}

impl Control {
    pub(crate) async fn put_recursion(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = call.unqualified_function()?;
        let recursion: Recursion = parse_now(call.body)?;
        self.attachable(&arn).await?;
        self.attach(RECURSIONS, &arn, &recursion, Expect::Any)
            .await?;
        Ok(json(StatusCode::OK, &recursion))
    }

    pub(crate) async fn get_recursion(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = call.unqualified_function()?;
        self.attachable(&arn).await?;
        let found = self.rows.get(&attached_key(RECURSIONS, &arn)).await?;
        let recursion: Recursion = match found {
            Some((recursion, _)) => recursion,
            None => Recursion {
                recursive_loop: DEFAULT.to_owned(),
            },
        };
        Ok(json(StatusCode::OK, &recursion))
    }
}
