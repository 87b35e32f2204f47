//! Whose certificates are believed when a service is called by `https`.

use std::fmt;
use std::sync::Arc;

use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Authorities that are believed instead of the machine's.
#[derive(Clone)]
pub struct Authorities(Arc<RootCertStore>);

/// There is no certificate in it, or one that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected certificates in PEM form")]
pub struct NotABundle;

impl Authorities {
    /// Those of a bundle as `AWS_CA_BUNDLE` names one: certificates in PEM, one after the other.
    pub fn parse(bundle: &[u8]) -> Result<Self, NotABundle> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle) {
            let certificate = certificate.map_err(|_| NotABundle)?;
            roots.add(certificate).map_err(|_| NotABundle)?;
        }
        // A bundle of nobody would believe nobody: more likely, it is another kind of file.
        match roots.is_empty() {
            true => Err(NotABundle),
            false => Ok(Self(Arc::new(roots))),
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

/// Connects by `http`, and by `https` to whom `authorities` vouch for; without them, the machine's do.
/// Where the machine knows none, only `http` endpoints can be called.
pub(crate) fn connector(authorities: Option<&Authorities>) -> HttpsConnector<HttpConnector> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = || {
        ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has the versions that are compiled in")
    };
    let config = match authorities {
        Some(Authorities(roots)) => config().with_root_certificates(Arc::clone(roots)),
        None => match config().with_native_roots() {
            Ok(config) => config,
            Err(_) => config().with_root_certificates(RootCertStore::empty()),
        },
    };
    HttpsConnectorBuilder::new()
        .with_tls_config(config.with_no_client_auth())
        .https_or_http()
        .enable_http1()
        .build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_holds_no_certificate_is_no_bundle(
            text in "(-----BEGIN CERTIFICATE-----\n|-----END CERTIFICATE-----\n|[A-Za-z0-9=+/\n]|\\PC){0,40}",
        ) {
            prop_assert!(Authorities::parse(text.as_bytes()).is_err());
        }
    }
}
