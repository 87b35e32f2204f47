//! Whether a frontend of a cluster can run invokes, as far as others are needed for that. Without counting and the control
//! plane it can for a while, so these are not asked for: if all frontends stood back from their balancers at once,
//! nobody would be helped.

use api::membership::View;
use membership::Views;
use tokio::sync::watch;
use tokio::task::JoinSet;
use types::Role;

use crate::admin::Said;

/// Whom it needs.
const NEEDED: [Role; 2] = [Role::Assignment, Role::Worker];

/// Says from now on whether they are there.
pub(super) fn watch(mut views: Views, background: &mut JoinSet<()>) -> watch::Receiver<Said> {
    let (says, said) = watch::channel(are_there(&views.borrow_and_update()));
    background.spawn(async move {
        // Ends with the process.
        while views.changed().await.is_ok() {
            let now = are_there(&views.borrow_and_update());
            if says.send(now).is_err() {
                break;
            }
        }
    });
    said
}

fn are_there(view: &View) -> Said {
    let missing = NEEDED
        .iter()
        .filter(|role| view.ready(**role).next().is_none());
    let missing: Vec<_> = missing.map(Role::to_string).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "no ready process has the role {}",
            missing.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use api::membership::{Member, State};
    use types::{ProcessId, SystemRandom};

    use super::*;

    fn member(role: Role, state: State) -> Member {
        Member {
            process: ProcessId::random(&SystemRandom),
            host: "h".to_owned(),
            zone: "a".to_owned(),
            roles: [role].into(),
            address: ([127, 0, 0, 1], 1).into(),
            version: String::new(),
            worker: None,
            runtimes: Default::default(),
            state,
        }
    }

    #[test]
    fn a_frontend_needs_who_lends_environments_and_who_has_them() {
        let mut view = View {
            members: vec![
                member(Role::Assignment, State::Ready),
                member(Role::Worker, State::Draining),
            ],
            ..View::default()
        };
        let told = are_there(&view).unwrap_err();
        assert_eq!(told, "no ready process has the role worker");
        view.members.push(member(Role::Worker, State::Ready));
        assert_eq!(are_there(&view), Ok(()));
    }
}
