//! Which request a task answers, so that what is logged of its failures can be found by the id that its
//! caller was told.

use types::RequestId;

tokio::task_local! {
    /// The request that this task answers.
    static REQUEST: RequestId;
}

/// Answers a request: what is logged of its failures has its id.
pub async fn answering<T>(request: RequestId, answer: impl Future<Output = T>) -> T {
    REQUEST.scope(request, answer).await
}

/// Tells the operator what a caller is not told.
pub fn log(error: &(dyn std::error::Error + 'static), what: &'static str) {
    let request_id = REQUEST.try_with(RequestId::to_string).ok();
    tracing::error!(request_id, error, "{what}");
}
