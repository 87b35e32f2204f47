//! How clients come to the front door: through which balancers, and with which certificate it shows itself.

use std::sync::Arc;

use anyhow::bail;

use super::balancers::Balancers;
use super::certificates::Certificates;
use crate::config::Requests;

/// See the module.
#[derive(Clone)]
pub(crate) struct Ways {
    pub(super) balancers: Balancers,
    /// Without one, plain HTTP is spoken.
    pub(super) certificates: Option<Arc<Certificates>>,
}

impl Ways {
    /// As configured. Reads files.
    pub(crate) fn open(config: &Requests) -> anyhow::Result<Self> {
        let balancers = Balancers::new(&config.balancers, config.proxy_protocol)?;
        if config.proxy_protocol && config.balancers.is_empty() {
            bail!("requests.proxy_protocol: requests.balancers has to say who sends its headers");
        }
        let certificates = match config.tls.files()? {
            Some((certificate, key)) => Some(Certificates::read(certificate, key)?),
            None => None,
        };
        Ok(Self {
            balancers,
            certificates,
        })
    }

    /// The scheme of our own addresses.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.certificates {
            Some(_) => "https",
            None => "http",
        }
    }

    /// Reads the certificate again whenever it has changed, forever.
    pub(crate) async fn keep_current(self) {
        if let Some(certificates) = self.certificates {
            certificates.keep_current().await;
        }
    }
}
