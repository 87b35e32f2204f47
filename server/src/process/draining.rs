//! A worker of a cluster that drains: because an operator has told its host to, or because its process ends.

use std::time::Duration;

use api::membership::View;
use membership::Views;
use types::{ProcessId, Role};
use worker::Handle;

/// Environments of provisioned concurrency are created elsewhere before they end here, which takes as long as an init; who
/// ends is not held up by one that fails.
const EMPTIED_WITHIN: Duration = Duration::from_secs(30);

/// Drains whenever an operator has told this host to. Ends with the process.
pub(super) async fn follow(mut views: Views, host: String, worker: Handle) {
    let mut drains = false;
    loop {
        let told = views.borrow_and_update().draining_hosts.contains(&host);
        if told != drains {
            drains = told;
            match drains {
                true => tracing::info!("this host drains: its worker takes no new environments"),
                false => tracing::info!("this host drains no more"),
            }
            worker.drain(drains).await;
        }
        if views.changed().await.is_err() {
            return;
        }
    }
}

/// Returns when the environments of a worker that leaves are gone, or when nobody is left who could take its place.
pub(super) async fn emptied(mut views: Views, own: ProcessId, worker: &Handle) {
    let nobody = async {
        // If nobody says any more who lives, this process is alone.
        let _ = views.wait_for(|view| !can_take_over(view, own)).await;
    };
    tokio::select! {
        biased;
        () = worker.emptied() => {}
        () = nobody => {}
        () = tokio::time::sleep(EMPTIED_WITHIN) => {
            tracing::warn!("some environments were not given up in time and end with this process");
        }
    }
}

/// Whether there is another worker to which environments can go, and somebody who sees to that.
fn can_take_over(view: &View, own: ProcessId) -> bool {
    let mut workers = view.ready(Role::Worker);
    let others =
        workers.any(|member| member.process != own && !view.draining_hosts.contains(&member.host));
    others && view.ready(Role::Assignment).next().is_some()
}

#[cfg(test)]
mod tests {
    use api::membership::{Member, Runtimes, State};
    use types::SystemRandom;

    use super::*;

    fn member(host: &str, role: Role) -> Member {
        Member {
            process: ProcessId::random(&SystemRandom),
            host: host.to_owned(),
            zone: "a".to_owned(),
            roles: [role].into(),
            address: "127.0.0.1:1".parse().unwrap(),
            version: String::new(),
            worker: None,
            runtimes: Runtimes::default(),
            state: State::Ready,
        }
    }

    #[test]
    fn another_worker_takes_over_unless_it_drains_too_or_nobody_leads() {
        let members = [
            member("h1", Role::Worker),
            member("h2", Role::Worker),
            member("h3", Role::Assignment),
        ];
        let own = members[0].process;
        let whole = View {
            members: members.into(),
            ..View::default()
        };
        assert!(can_take_over(&whole, own));
        for without in [1, 2] {
            let mut view = whole.clone();
            view.members[without].state = State::Draining;
            assert!(!can_take_over(&view, own));
        }
        let mut view = whole;
        view.draining_hosts.insert("h2".to_owned());
        assert!(!can_take_over(&view, own));
    }
}
