//! What every sandbox promises, tried in real ones. Needs root.
//!
//! A program of its own rather than `#[test]` functions, since spawners are this program once more and
//! must not do what it does. It prints and takes a filter as those do.

mod confined;
mod descriptors;
mod egress;
mod endings;
mod escapes;
mod host;
mod images;
mod kernel;
mod leftovers;
mod lifecycle;
mod limits;
mod memory;
mod processor;
mod runtimes;
mod shares;
mod spawners;
mod stopping;

use std::process::ExitCode;
use std::time::Duration;

use host::{Host, TestResult};

/// One promise: its name and the attempt to see it broken.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: for<'a> fn(&'a Host) -> futures_box::Boxed<'a>,
}

/// The shape of a case's future.
pub(crate) mod futures_box {
    use std::future::Future;
    use std::pin::Pin;

    use super::TestResult;

    pub(crate) type Boxed<'a> = Pin<Box<dyn Future<Output = TestResult> + 'a>>;
}

/// Lists cases: the function's name is the case's.
macro_rules! cases {
    ($($function:ident),* $(,)?) => {
        &[$(crate::Case {
            name: concat!(module_path!(), "::", stringify!($function)),
            run: |host| Box::pin($function(host)),
        }),*]
    };
}
pub(crate) use cases;

/// None may take longer.
const CASE_WITHIN: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    sandbox::become_spawner_if_asked();
    sandbox::become_confined_if_asked(confined::work);
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, owner, tag, how] = arguments.as_slice()
        && owner == leftovers::OWNER
    {
        let done = leftovers::be_owner(tag, how);
        return done
            .inspect_err(|error| eprintln!("{error}"))
            .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let host = match Host::prepare() {
        Ok(host) => host,
        Err(error) => {
            eprintln!("cannot run sandboxes here: {error:?}");
            return ExitCode::FAILURE;
        }
    };
    let all: Vec<&Case> = [
        lifecycle::CASES,
        stopping::CASES,
        memory::CASES,
        limits::CASES,
        leftovers::CASES,
        escapes::CASES,
        escapes::FILES,
        escapes::PROCESSES,
        escapes::SOCKETS,
        escapes::CALLS,
        confined::CASES,
        images::CASES,
        kernel::CASES,
        egress::CASES,
        runtimes::CASES,
        shares::CASES,
        spawners::CASES,
        endings::CASES,
        descriptors::CASES,
        processor::CASES,
    ]
    .into_iter()
    .flatten()
    .collect();
    let chosen = |case: &&Case| filters.is_empty() || filters.iter().any(|f| case.name.contains(f));
    let (run, left_out): (Vec<_>, Vec<_>) = all.into_iter().partition(chosen);
    println!("\nrunning {} tests", run.len());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime can be made");
    let failed = runtime.block_on(async {
        let mut host = host;
        host.start().await.expect("the engine starts");
        let failed = run_all(&host, &run).await;
        host.finish().await;
        failed
    });
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let (passed, filtered) = (run.len() - failed, left_out.len());
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered} filtered out\n"
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run_all(host: &Host, cases: &[&Case]) -> usize {
    let mut failures = Vec::new();
    for case in cases {
        let name = case.name.trim_start_matches("conformance::");
        match tokio::time::timeout(CASE_WITHIN, (case.run)(host)).await {
            Ok(Ok(())) => println!("test {name} ... ok"),
            Ok(Err(error)) => {
                println!("test {name} ... FAILED");
                failures.push(format!("{name}: {error}"));
            }
            Err(_) => {
                println!("test {name} ... FAILED");
                failures.push(format!("{name}: took over {CASE_WITHIN:?}"));
            }
        }
    }
    for failure in &failures {
        println!("\n---- {failure}");
    }
    failures.len()
}
