//! Which runtimes functions may name: those that some worker has.

use api::membership::{Runtimes, State, View};
use control::RuntimesHere;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config;
use crate::process::network::Network;
use crate::process::seen::seen;
use crate::roots::{self, Languages};

/// Those of the cluster, or of this process where it is alone.
pub(super) fn runtimes(
    config: &config::Runtimes,
    languages: Option<&Languages>,
    network: Option<&Network>,
    background: &mut JoinSet<()>,
) -> watch::Receiver<RuntimesHere> {
    let own = match languages {
        Some(languages) => here(roots::of_worker(&languages.runtimes)),
        None => expected(config),
    };
    match network {
        Some(network) => seen(network.views(), background, move |view| {
            of_workers(view).map_or_else(|| own.clone(), here)
        }),
        None => watch::channel(own).1,
    }
}

/// What a host without a worker believes that workers have.
fn expected(config: &config::Runtimes) -> RuntimesHere {
    let mut here = RuntimesHere::default();
    here.exact.extend(config.chosen.keys().cloned());
    here
}

/// What any ready worker has. A runtime is refused if all refuse it. `None` while no worker says what it has.
fn of_workers(view: &View) -> Option<Runtimes> {
    let ready = view.members.iter().filter(|member| {
        member.worker.is_some()
            && member.state == State::Ready
            && !member.runtimes.families.is_empty()
    });
    ready
        .map(|member| member.runtimes.clone())
        .reduce(|mut all, other| {
            all.families.extend(other.families);
            all.exact.extend(other.exact);
            all.refused
                .retain(|name, _| other.refused.contains_key(name));
            all
        })
}

fn here(runtimes: Runtimes) -> RuntimesHere {
    let Runtimes {
        families,
        exact,
        refused,
    } = runtimes;
    RuntimesHere {
        families,
        exact,
        refused,
    }
}

#[cfg(test)]
mod tests {
    use api::membership::Member;
    use types::{ProcessId, Role, SystemRandom, WorkerId};

    use super::*;

    fn worker(families: &[&str], refused: &[&str], state: State) -> Member {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Member {
            process: ProcessId::random(&SystemRandom),
            host: "h".to_owned(),
            zone: "a".to_owned(),
            roles: [Role::Worker].into(),
            address: "127.0.0.1:1".parse().unwrap(),
            version: String::new(),
            worker: Some(WorkerId::random(&SystemRandom)),
            runtimes: Runtimes {
                families: names(families),
                exact: names(&["ruby3.3"]),
                refused: refused
                    .iter()
                    .map(|name| ((*name).to_owned(), String::new()))
                    .collect(),
            },
            state,
        }
    }

    #[test]
    fn functions_may_name_what_any_ready_worker_has() {
        let mut view = View {
            members: vec![
                worker(&["python"], &["python3.8"], State::Ready),
                worker(&["java"], &["python3.8", "java11"], State::Ready),
                worker(&["nodejs"], &[], State::Starting),
            ],
            ..View::default()
        };
        let found = of_workers(&view).unwrap();
        let families: Vec<&String> = found.families.iter().collect();
        assert_eq!(families, ["java", "python"]);
        assert!(found.exact.contains("ruby3.3"));
        let refused: Vec<&String> = found.refused.keys().collect();
        assert_eq!(refused, ["python3.8"]);
        // Workers of a version that does not say what it has.
        view.members
            .retain(|member| member.state == State::Starting);
        view.members.push(worker(&[], &[], State::Ready));
        assert_eq!(of_workers(&view), None);
    }
}
