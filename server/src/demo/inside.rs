//! The inner half: makes the cluster, and has it shown or checked.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use api::Secret;
use aws::{Endpoint, Keys, Request};
use bytes::Bytes;
use http::Method;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use types::SystemClock;

use super::api::{Api, plain};
use super::hosts::{self, Host, Kind};
use super::processes::{Process, Program};
use super::zones::{STREET, Zone};
use super::{check, show, stores, zones};
use crate::cli::Demo;
use crate::config::Config;
use crate::terminal::say;

const READY_WITHIN: Duration = Duration::from_secs(90);
const AGAIN: Duration = Duration::from_millis(100);
/// A look at an address that may not answer.
const LOOK: Duration = Duration::from_secs(2);
/// Lambent's processes finish what they have within this time, or are killed.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// The cluster, running.
pub(super) struct Cluster {
    pub(super) zones: Vec<Zone>,
    pub(super) nats: Vec<(Zone, Process)>,
    pub(super) hosts: Vec<(Host, Process)>,
    pub(super) api: Arc<Api>,
    /// Of each zone.
    pub(super) doors: Vec<Endpoint>,
    /// For what nobody signs.
    pub(super) client: aws::Client,
    folder: PathBuf,
    _s3: Process,
}

pub(super) fn run(options: &Demo, folder: &Path) -> anyhow::Result<ExitCode> {
    let zones = Zone::first(options.zones);
    zones::make(&zones, options.delay_ms)?;
    let told_to_stop = told_to_stop()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut cluster = tokio::select! {
            biased;
            () = told_to_stop.cancelled() => return Ok(ExitCode::FAILURE),
            cluster = Cluster::start(folder, zones) => cluster?,
        };
        let outcome = match options.check {
            true => tokio::select! {
                biased;
                () = told_to_stop.cancelled() => Ok(ExitCode::FAILURE),
                outcome = check::check(&mut cluster, options) => outcome,
            },
            false => {
                let shown = show::show(&mut cluster, options, &told_to_stop).await;
                shown.map(|()| ExitCode::SUCCESS)
            }
        };
        cluster.stop().await;
        outcome
    })
}

/// Cancelled when the outer half closes our standard input.
fn told_to_stop() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let told = token.clone();
    let wait = move || {
        // Nobody writes anything there: it ends when it is closed.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        told.cancel();
    };
    std::thread::Builder::new()
        .name("told-to-stop".to_owned())
        .spawn(wait)?;
    Ok(token)
}

impl Cluster {
    async fn start(folder: &Path, zones: Vec<Zone>) -> anyhow::Result<Self> {
        let began = Instant::now();
        hosts::settle(folder, &zones)?;
        let mut s3 = Process::start(stores::s3(folder)?)?;
        let mut nats = Vec::new();
        for (zone, program) in stores::nats(folder, &zones)? {
            nats.push((zone, Process::start(program)?));
        }
        for (zone, process) in &mut nats {
            let address = stores::nats_address(*zone);
            until(process, async || TcpStream::connect(address).await.is_ok()).await?;
        }
        let client = aws::Client::patient(Arc::new(SystemClock), LOOK);
        until(&mut s3, async || has_bucket(&client).await).await?;
        say!(
            "NATS and S3 are ready after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        let mut hosts = Vec::new();
        for host in Host::all(&zones) {
            let program = host.program(folder)?;
            hosts.push((host, Process::start(program)?));
        }
        let fronts = hosts.iter().filter(|(host, _)| host.kind == Kind::Front);
        let doors = fronts.map(|(host, _)| Endpoint::parse(&host.door()));
        let doors = doors.collect::<Result<Vec<_>, _>>()?;
        let api = Arc::new(Api::new(&hosts::secrets(folder))?);
        let mut cluster = Self {
            zones,
            nats,
            hosts,
            api,
            doors,
            client,
            folder: folder.to_owned(),
            _s3: s3,
        };
        for number in 0..cluster.hosts.len() {
            cluster.ready(number).await?;
        }
        let count = cluster.hosts.len();
        say!(
            "{count} processes of Lambent are ready after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        cluster.api.deploy(&cluster.doors[0], folder).await?;
        say!(
            "a function is deployed after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        say!(
            "front doors: {}; credentials: --data-dir {}",
            cluster.doors_text().join(" "),
            hosts::secrets(folder).display()
        );
        Ok(cluster)
    }

    fn doors_text(&self) -> Vec<String> {
        let fronts = self
            .hosts
            .iter()
            .filter(|(host, _)| host.kind == Kind::Front);
        fronts.map(|(host, _)| host.door()).collect()
    }

    /// Waits until a host answers its operator, which it does once it serves.
    pub(super) async fn ready(&mut self, number: usize) -> anyhow::Result<()> {
        let (host, process) = &mut self.hosts[number];
        let (admin, client) = (host.admin(), &self.client);
        until(process, async || {
            plain(client, &admin, "/health").await.is_some()
        })
        .await
    }

    /// Runs a command of ours against the first zone, as an operator would.
    pub(super) async fn command(&self, words: &[&str]) -> anyhow::Result<()> {
        let own = std::env::current_exe()?.display().to_string();
        let secrets = hosts::secrets(&self.folder).display().to_string();
        let door = self.doors_text().into_iter().next().unwrap_or_default();
        let mut all = vec![own];
        all.extend(words.iter().map(|word| (*word).to_owned()));
        all.extend([
            "--endpoint".to_owned(),
            door,
            "--data-dir".to_owned(),
            secrets,
        ]);
        let program = Program {
            name: format!("lambent {}", words.join(" ")),
            words: all,
            variables: Vec::new(),
            log: self.folder.join("commands.log"),
        };
        Process::start(program)?.stopped(READY_WITHIN).await
    }

    /// What a host's `/metrics` says; nothing while it is away.
    pub(super) async fn metrics(&self, host: &Host) -> String {
        let text = plain(&self.client, &host.admin(), "/metrics").await;
        text.unwrap_or_default()
    }

    /// Ends Lambent's processes in order. The stores end with this process.
    async fn stop(&mut self) {
        for kind in [Kind::Front, Kind::Work, Kind::Centre] {
            let mut these: Vec<&mut Process> = { &mut self.hosts }
                .iter_mut()
                .filter(|(host, _)| host.kind == kind)
                .map(|(_, process)| process)
                .collect();
            these.iter().for_each(|process| process.tell_to_stop());
            for process in &mut these {
                if let Err(error) = process.stopped(STOPPED_WITHIN).await {
                    say!("{error:#}");
                }
            }
        }
    }
}

/// Waits until a process does what it is asked.
pub(super) async fn until(
    process: &mut Process,
    mut works: impl AsyncFnMut() -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if works().await {
            return Ok(());
        }
        if let Some(status) = process.ended()? {
            bail!(
                "{} ended with {status}:\n{}",
                process.name(),
                process.told()
            );
        }
        if Instant::now() > deadline {
            bail!("{} is not ready:\n{}", process.name(), process.told());
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Makes the bucket, once the store can.
async fn has_bucket(client: &aws::Client) -> bool {
    let made = async {
        let endpoint = Endpoint::parse(&format!("http://{STREET}:{}", stores::S3_PORT))?;
        let keys = Keys {
            access_key_id: stores::S3_KEY.to_owned(),
            secret: Secret::new(stores::S3_SECRET.to_owned()),
            session_token: None,
        };
        let request = Request {
            endpoint: &endpoint,
            service: "s3",
            region: &Config::default().account.region,
            keys: Some(&keys),
            method: Method::PUT,
            target: &format!("/{}", stores::BUCKET),
            headers: &[],
            body: Bytes::new(),
            answer_bytes_max: 1 << 20,
        };
        client.send(request).await.context("no answer")
    };
    let made = made.await.map(|answer| answer.status());
    made.is_ok_and(|status| status.is_success() || status == http::StatusCode::CONFLICT)
}
