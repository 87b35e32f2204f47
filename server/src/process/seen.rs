//! What follows from the view of who is alive, as it changes.

use api::membership::View;
use membership::Views;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Tells only what has changed; works for as long as the process does.
pub(super) fn seen<T: PartialEq + Send + Sync + 'static>(
    mut views: Views,
    background: &mut JoinSet<()>,
    follows: impl Fn(&View) -> T + Send + 'static,
) -> watch::Receiver<T> {
    let first = follows(&views.borrow_and_update());
    let (sender, receiver) = watch::channel(first);
    background.spawn(async move {
        while views.changed().await.is_ok() {
            let now = follows(&views.borrow_and_update());
            sender.send_if_modified(|known| {
                let changed = *known != now;
                if changed {
                    *known = now;
                }
                changed
            });
        }
    });
    receiver
}
