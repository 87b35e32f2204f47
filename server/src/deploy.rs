//! `lambent deploy`, `lambent delete`, `lambent stacks`.
//!
//! ```text
//!   exit status   0   it is as the template says (or nothing had to be done)
//!                 1   it is not; on a failure everything is as it was, unless it says otherwise
//!                 2   the command line is wrong
//!                 3   --dry-run: there is something to do
//!                 4   the person who was asked said no
//! ```

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use bytes::Bytes;
use deploy::api::{Answer, Api, Call};
use deploy::desired::{Desired, Identity};
use deploy::engine::{Engine, Observer};
use deploy::live::Live;
use deploy::packages::Packages;
use deploy::plan::{plan, plan_deletion};
use deploy::record::Record;
use deploy::resource::Type;
use deploy::store::Store;
use deploy::survey::{self, Survey, Unsupported};
use deploy::template::parameters::remembered;
use deploy::template::{self, Template};
use http::Method;

use crate::cli;
use crate::client::Client;
use crate::commands::{block_on, succeeded};
use crate::terminal::{self, say, say_on};

/// Exit status of a dry run that would do something.
const SOMETHING_TO_DO: u8 = 3;
/// Exit status where the person said no.
const DECLINED: u8 = 4;

/// `lambent deploy`.
pub(crate) fn deploy(options: &cli::Deploy) -> anyhow::Result<ExitCode> {
    let path = &options.template;
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
    let (template, skipped) =
        supported(&text, options.skip_unsupported).with_context(|| path.display().to_string())?;
    let stack = match &options.stack_name {
        Some(name) => name.clone(),
        None => folder_name(path)?,
    };
    let given = overrides(&options.parameter_overrides)?;
    block_on(async {
        let (api, region) = remote(&options.client)?;
        let identity = identity(api.as_ref(), &stack, &region).await?;
        let (store, record) = load(&api, &stack).await?;
        let before = record.unwrap_or_default();
        let given = remembered(&template.parameters, &before.parameters, &given);
        let desired = Desired::of(&template, &given, &identity);
        let desired = desired.with_context(|| path.display().to_string())?;
        let packages = Arc::new(Mutex::new(Packages::new(
            path.parent().unwrap_or(Path::new(".")),
        )));
        let mut settle = |wanted: &_, properties: &mut _| {
            let mut packages = packages.lock().expect("nothing panics while it has them");
            packages.settle(wanted, properties)
        };
        let plan = plan(&desired, &before, &mut settle);
        let plan = plan.with_context(|| path.display().to_string())?;
        if plan.is_empty() {
            say!("{stack}: nothing to change");
            print_outputs(&before);
            print_skipped(&skipped);
            return Ok(ExitCode::SUCCESS);
        }
        say!("{stack}:\n{plan}");
        print_skipped(&skipped);
        if let Some(code) = stop(options.dry_run, options.yes)? {
            return Ok(code);
        }
        let live = Live::new(Arc::clone(&api), identity.clone(), Arc::clone(&packages));
        let mut engine = Engine::new(&live, &Lines, (store, before), identity);
        engine.deploy(&desired, &mut settle).await?;
        say!("{stack} is deployed");
        print_outputs(engine.record());
        print_skipped(&skipped);
        Ok(ExitCode::SUCCESS)
    })
}

/// The template as far as it is supported, and what of it is not.
fn supported(text: &str, skip: bool) -> anyhow::Result<(Template, Vec<Unsupported>)> {
    let Survey { found, rest } = survey::of(&template::read(text)?);
    let is_refused = |it: &&Unsupported| !skip || !it.can_be_skipped;
    if !found.iter().any(|it| is_refused(&it)) {
        return Ok((Template::of(&rest)?, found));
    }
    let mut told = "these are not supported:".to_owned();
    for unsupported in found.iter().filter(is_refused) {
        told += &format!("\n  {}", unsupported.what);
    }
    told += match (skip, found.iter().all(|it| it.can_be_skipped)) {
        (false, true) => "\n--skip-unsupported deploys the rest",
        (false, false) => {
            "\n--skip-unsupported does not help: values of others, or what is not allowed, depend on some"
        }
        (true, _) => {
            "\nand cannot be left out: values of others, or what is not allowed, depend on them"
        }
    };
    bail!(told)
}

fn print_skipped(skipped: &[Unsupported]) {
    if skipped.is_empty() {
        return;
    }
    say!("not created here:");
    for unsupported in skipped {
        say!("  {}", unsupported.what);
    }
}

/// `lambent delete`.
pub(crate) fn delete(options: &cli::Delete) -> anyhow::Result<ExitCode> {
    let stack = &options.stack;
    block_on(async {
        let (api, region) = remote(&options.client)?;
        let identity = identity(api.as_ref(), stack, &region).await?;
        let (store, record) = load(&api, stack).await?;
        let record = record.with_context(|| format!("there is no stack {stack}"))?;
        say!("{stack}:\n{}", plan_deletion(&record));
        if let Some(code) = stop(options.dry_run, options.yes)? {
            return Ok(code);
        }
        let packages = Arc::new(Mutex::new(Packages::new(Path::new("."))));
        let live = Live::new(Arc::clone(&api), identity.clone(), packages);
        let mut engine = Engine::new(&live, &Lines, (store, record), identity);
        engine.delete().await?;
        say!("{stack} is deleted");
        Ok(ExitCode::SUCCESS)
    })
}

/// `lambent stacks`: one name a line.
pub(crate) fn stacks(options: &cli::Client) -> anyhow::Result<ExitCode> {
    let client = Client::new(options)?;
    let sent = client.send((Method::GET, "/lambent/stacks"), &[], Bytes::new());
    let answer = succeeded(block_on(sent)?)?;
    let answer: serde_json::Value =
        serde_json::from_slice(answer.body()).context("the answer is not a list of stacks")?;
    let names = answer.get("Stacks").and_then(|names| names.as_array());
    for name in names.into_iter().flatten().filter_map(|name| name.as_str()) {
        say!("{name}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The exit status with which it ends here, if it does: nothing is done without a yes.
fn stop(dry_run: bool, yes: bool) -> anyhow::Result<Option<ExitCode>> {
    if dry_run {
        return Ok(Some(ExitCode::from(SOMETHING_TO_DO)));
    }
    if yes {
        return Ok(None);
    }
    if !std::io::stdin().is_terminal() {
        bail!("not a terminal: pass --yes to proceed");
    }
    say_on!("Go ahead? [y/N] ");
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("standard input cannot be read")?;
    let yes = matches!(line.trim(), "y" | "Y" | "yes");
    Ok((!yes).then(|| ExitCode::from(DECLINED)))
}

async fn load(api: &Arc<dyn Api>, stack: &str) -> anyhow::Result<(Store, Option<Record>)> {
    let mut store = Store::new(Arc::clone(api), stack);
    let record = store.load().await?;
    Ok((store, record))
}

fn print_outputs(record: &Record) {
    for (name, value) in &record.outputs {
        say!("  {name} = {value}");
    }
}

/// The stack's name where none is given.
fn folder_name(template: &Path) -> anyhow::Result<String> {
    let path = template.canonicalize();
    let path = path.with_context(|| format!("{} cannot be found", template.display()))?;
    let folder = path.parent().and_then(Path::file_name);
    let name = folder.and_then(|name| name.to_str()).unwrap_or_default();
    if name.is_empty() {
        bail!("the template's folder has no name for the stack: give --stack-name");
    }
    Ok(name.to_owned())
}

fn overrides(given: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for pair in given {
        // Not repeated in the refusal: it may be a secret.
        let (name, value) = pair
            .split_once('=')
            .context("--parameter-overrides takes NAME=VALUE")?;
        values.insert(name.to_owned(), value.to_owned());
    }
    Ok(values)
}

/// Whose stack it is: the account of the key.
async fn identity(api: &dyn Api, stack: &str, region: &str) -> anyhow::Result<Identity> {
    let kind = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
    let call = Call {
        service: "sts",
        method: Method::POST,
        target: "/".to_owned(),
        headers: vec![("content-type", kind)],
        body: Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15"),
    };
    let answer = deploy::api::query(api, call).await?;
    let account = answer.text_of("Account");
    let account = account.context("the answer has no account")?.to_owned();
    Ok(Identity {
        stack: stack.to_owned(),
        region: region.to_owned(),
        account,
    })
}

/// The server, by the commands' own client.
struct Remote {
    client: Client,
}

/// The server that the options name, and the region.
fn remote(options: &cli::Client) -> anyhow::Result<(Arc<dyn Api>, String)> {
    let client = Client::new(options)?;
    let region = client.region().to_string();
    Ok((Arc::new(Remote { client }), region))
}

#[async_trait]
impl Api for Remote {
    async fn send(&self, call: Call) -> Result<Answer, String> {
        let headers: Vec<(&'static str, &str)> = call
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let request = (call.method, call.target.as_str());
        let sent = self
            .client
            .send_to(call.service, request, &headers, call.body);
        let answer = sent.await.map_err(|error| format!("{error:#}"))?;
        let error_type = answer.headers().get("x-amzn-errortype");
        Ok(Answer {
            status: answer.status().as_u16(),
            error_type: error_type
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            body: answer.into_body(),
        })
    }
}

/// One line for each resource that is done; on a terminal, one while it is worked on, too.
struct Lines;

impl Observer for Lines {
    fn begun(&self, verb: &'static str, kind: Type, name: &str) {
        if std::io::stdout().is_terminal() {
            say_on!("  {verb:<10} {name:<32} {kind} …");
        }
    }

    fn done(&self, verb: &'static str, kind: Type, name: &str, seconds: f64) {
        wipe();
        let done = match verb {
            "creating" => "created",
            "updating" => "updated",
            "replacing" => "replaced",
            "deleting" => "deleted",
            "restoring" => "restored",
            other => other,
        };
        say!("  {done:<10} {name:<32} {kind} {seconds:.1} s");
    }

    fn failed(&self, verb: &'static str, kind: Type, name: &str, error: &deploy::api::Error) {
        wipe();
        say!("  {verb:<10} {name:<32} {kind} FAILED: {error}");
    }

    fn rolling_back(&self) {
        say!("rolling back:");
    }
}

fn wipe() {
    if std::io::stdout().is_terminal() {
        terminal::wipe(std::io::stdout());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_of_nothing_is_empty() {
        let plan = plan_deletion(&Record::default());
        assert!(plan.is_empty());
        assert_eq!(plan.to_string(), "");
    }

    #[test]
    fn overrides_are_pairs() {
        let given = ["A=1".to_owned(), "B=x=y".to_owned()];
        let values = overrides(&given).unwrap();
        assert_eq!(values["B"], "x=y");
        let error = overrides(&["hush".to_owned()]).unwrap_err().to_string();
        assert!(!error.contains("hush"));
    }
}
