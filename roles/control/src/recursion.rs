//! What happens to a function that calls itself in a recursive loop: `RecursiveLoop`.

use bytes::Bytes;
use http::{Response, StatusCode};
use records::functions::{RECURSIONS, attached_key};
use records::recursion::Recursion;
use storage::Expect;

use crate::answer::json;
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

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
        let recursion: Recursion = found.map(|(recursion, _)| recursion).unwrap_or_default();
        Ok(json(StatusCode::OK, &recursion))
    }
}
