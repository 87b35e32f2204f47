//! Settings for traces of invokes.

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// Traces, for operators.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tracing {
    /// Where spans are sent to, by OpenTelemetry's protocol over HTTP: `http://host:4318`. Empty: nowhere, and none are
    /// made.
    pub(crate) otlp_endpoint: String,
    /// Which part of all traces is sampled, from 0 to 1.
    pub(crate) sampling_ratio: f64,
}

impl Tracing {
    /// Where spans are sent to, and how many of them; `None` for nowhere.
    pub(crate) fn destination(&self) -> anyhow::Result<Option<(aws::Endpoint, f64)>> {
        let ratio = self.sampling_ratio;
        if !(0.0..=1.0).contains(&ratio) {
            bail!("tracing.sampling_ratio: {ratio} is not between 0 and 1");
        }
        if self.otlp_endpoint.is_empty() {
            return Ok(None);
        }
        let Ok(endpoint) = aws::Endpoint::parse(&self.otlp_endpoint) else {
            bail!(
                "tracing.otlp_endpoint: {} is not of the form http://host:port",
                self.otlp_endpoint
            );
        };
        Ok(Some((endpoint, ratio)))
    }
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            otlp_endpoint: String::new(),
            sampling_ratio: 0.05,
        }
    }
}
