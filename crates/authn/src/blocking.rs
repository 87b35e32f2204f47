//! Work that would delay other requests.

/// Work on more bytes than this leaves the task that serves requests: hashing or parsing 1 MiB takes about a
/// millisecond.
pub(crate) const INLINE_BYTES_MAX: usize = 1024 * 1024;

/// Does work that takes time in proportion to `bytes`, on a thread for blocking work if it would take long.
pub async fn run_blocking<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes <= INLINE_BYTES_MAX {
        return work();
    }
    let work = tokio::task::spawn_blocking(work);
    work.await
        .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}
