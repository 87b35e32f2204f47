//! Sends the spans of this process to a collector, in batches. What cannot be sent is dropped: traces never hold up what
//! they are about.

use std::sync::Arc;
use std::time::Duration;

use aws::Endpoint;
use bytes::Bytes;
use http::Method;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use traces::{Finished, Tracer, otlp};
use types::{Clock, Random, Region, Seldom};

use super::what::What;
use crate::config::Config;

/// Spans that wait to be sent; more are dropped.
const WAITING_MAX: usize = 4_096;
/// Spans in one request.
const BATCH_MAX: usize = 512;
/// How long they are collected.
const COLLECTED_FOR: Duration = Duration::from_secs(1);
/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of its answer, which nobody reads.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How often it is logged that spans are lost.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What begins this process's spans; they are sent in the background if that is configured.
pub(super) fn start(
    config: &Config,
    what: &What,
    (clock, random): (&Arc<dyn Clock>, &Arc<dyn Random>),
    background: &mut JoinSet<()>,
) -> anyhow::Result<Tracer> {
    let Some((endpoint, ratio)) = config.tracing.destination()? else {
        return Ok(Tracer::default());
    };
    let chance = (Arc::clone(clock), Arc::clone(random));
    let (tracer, finished) = Tracer::new(ratio, WAITING_MAX, chance.0, chance.1);
    let exporter = Exporter {
        client: aws::Client::patient(Arc::clone(clock), PATIENCE),
        endpoint,
        region: config.account.region.clone(),
        resource: resource(what),
        tracer: tracer.clone(),
        lost: 0,
        telling: Seldom::every(TELL_EVERY),
    };
    background.spawn(exporter.run(finished));
    Ok(tracer)
}

/// What this process is, in OpenTelemetry's words.
fn resource(what: &What) -> Vec<(&'static str, String)> {
    let mut resource = vec![
        ("service.name", "lambent".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    if let Some(member) = &what.member {
        resource.push(("host.name", member.peer.host.clone()));
        resource.push(("cloud.availability_zone", member.peer.zone.clone()));
    }
    resource
}

struct Exporter {
    client: aws::Client,
    endpoint: Endpoint,
    region: Region,
    resource: Vec<(&'static str, String)>,
    tracer: Tracer,
    /// Spans of whose loss nobody was told yet.
    lost: u64,
    telling: Seldom,
}

impl Exporter {
    async fn run(mut self, mut finished: mpsc::Receiver<Finished>) {
        let mut batch = Vec::new();
        // Ends with the process.
        while finished.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let full = async {
                while batch.len() < BATCH_MAX {
                    let room = BATCH_MAX - batch.len();
                    if finished.recv_many(&mut batch, room).await == 0 {
                        break;
                    }
                }
            };
            // Too few of them by then are sent as they are.
            let _ = tokio::time::timeout(COLLECTED_FOR, full).await;
            let sent = self.send(&batch).await;
            self.tell(sent, batch.len());
            batch.clear();
        }
    }

    async fn send(&self, batch: &[Finished]) -> Result<(), String> {
        let request = aws::Request {
            endpoint: &self.endpoint,
            service: "",
            region: &self.region,
            keys: None,
            method: Method::POST,
            target: otlp::PATH,
            headers: &[("content-type", "application/json")],
            body: Bytes::from(otlp::batch(&self.resource, batch)),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        match self.client.send(request).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the collector answers {}", answer.status())),
            Err(error) => Err(types::words::with_causes(&error)),
        }
    }

    /// Logs what is lost.
    fn tell(&mut self, sent: Result<(), String>, spans: usize) {
        self.lost += self.tracer.take_dropped();
        let reason = match sent {
            Ok(()) => "they come faster than they can be sent".to_owned(),
            Err(reason) => {
                self.lost += spans as u64;
                reason
            }
        };
        if self.lost > 0 && self.telling.is_due() {
            let lost = std::mem::take(&mut self.lost);
            tracing::warn!(lost, reason, "spans of traces are lost");
        }
    }
}
