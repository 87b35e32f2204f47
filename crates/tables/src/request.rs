//! Which request a task answers, so that the log entries of its failures can be found by the request id
//! that its caller received.

use types::RequestId;

tokio::task_local! {
    /// The request that this task answers.
    static REQUEST: RequestId;
}

/// Answers a request: the log entries of its failures have its id.
pub async fn answering<T>(request: RequestId, answer: impl Future<Output = T>) -> T {
    REQUEST.scope(request, answer).await
}

/// Logs for the operator what a caller is not told.
pub fn log(error: &(dyn std::error::Error + 'static), what: &'static str) {
    let request_id = REQUEST.try_with(RequestId::to_string).ok();
    tracing::error!(request_id, error, "{what}");
}
