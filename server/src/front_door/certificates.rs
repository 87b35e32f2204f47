//! The certificate that clients see, and its key: read again when the files change, without an end of any connection.
//!
//! A pair that cannot be used replaces nothing: the log says what is wrong with it, and the former one stays.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;

/// What is spoken. HTTP/2 is not.
const PROTOCOL: &[u8] = b"http/1.1";
/// How often the files are checked. A change counts when two checks have seen the same: the two files are not replaced
/// at one moment.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Why a certificate and a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadPair {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM.
    #[error("{} is not valid PEM", path.display())]
    NotPem {
        /// Which.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// There is no certificate.
    #[error("{} has no certificate in it", path.display())]
    NoCertificate {
        /// Where.
        path: PathBuf,
    },
    /// There is no key.
    #[error("{} has no private key in it that is not encrypted", path.display())]
    NoKey {
        /// Where.
        path: PathBuf,
    },
    /// Both can be read.
    #[error("the certificate in {} and the key in {} cannot be used together", certificate.display(), key.display())]
    Unusable {
        /// Where the one is.
        certificate: PathBuf,
        /// Where the other is.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// See the module.
pub(crate) struct Certificates {
    files: Files,
    /// As the files were when they were first read.
    first: Stamps,
    newest: RwLock<Arc<ServerConfig>>,
}

/// Where they are.
#[derive(Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// By which a file is known to be another one: its device, inode, length, and time of change.
type Stamp = (u64, u64, u64, i64, i64);
type Stamps = [Option<Stamp>; 2];

impl Certificates {
    /// Reads a chain of certificates, ours first, and the key that belongs to it.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Arc<Self>, BadPair> {
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        let first = files.stamps();
        let newest = RwLock::new(Arc::new(files.read()?));
        Ok(Arc::new(Self {
            files,
            first,
            newest,
        }))
    }

    /// Begins a connection with the newest.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        // A panic between two whole operations leaves it as it should be.
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&newest))
    }

    /// Reads the files again whenever they have changed, forever.
    pub(crate) async fn keep_current(self: Arc<Self>) {
        let mut used = self.first;
        let mut seen = used;
        let mut checks = tokio::time::interval(CHECK_EVERY);
        loop {
            checks.tick().await;
            let files = self.files.clone();
            // A panic is reported where it happens.
            let Ok(now) = spawn_blocking(move || files.stamps()).await else {
                continue;
            };
            if now != used && now == seen {
                used = now;
                self.renew().await;
            }
            seen = now;
        }
    }

    /// Takes what the files have, if it can be used.
    async fn renew(&self) {
        let files = self.files.clone();
        let Ok(read) = spawn_blocking(move || files.read()).await else {
            return;
        };
        match read {
            Ok(read) => {
                let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
                *newest = Arc::new(read);
                tracing::info!("clients see the new certificate from now on");
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the new certificate cannot be used, the former one stays"
            ),
        }
    }
}

impl Files {
    fn stamps(&self) -> Stamps {
        [stamp(&self.certificate), stamp(&self.key)]
    }

    fn read(&self) -> Result<ServerConfig, BadPair> {
        let (certificate, key) = (&self.certificate, &self.key);
        let not_pem = |path: &Path, source| BadPair::NotPem {
            path: path.to_owned(),
            source,
        };
        let chain =
            CertificateDer::pem_slice_iter(&bytes(certificate)?).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|source| not_pem(certificate, source))?;
        if chain.is_empty() {
            let path = certificate.clone();
            return Err(BadPair::NoCertificate { path });
        }
        let private = PrivateKeyDer::from_pem_slice(&bytes(key)?);
        let private = private.map_err(|source| match source {
            pem::Error::NoItemsFound => BadPair::NoKey { path: key.clone() },
            source => not_pem(key, source),
        })?;
        let unusable = |source| BadPair::Unusable {
            certificate: certificate.clone(),
            key: key.clone(),
            source,
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unusable)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(config)
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, BadPair> {
    fs::read(path).map_err(|source| BadPair::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Of what a link leads to: an operator who replaces both files at once replaces a link.
fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some((
        file.dev(),
        file.ino(),
        file.len(),
        file.mtime(),
        file.mtime_nsec(),
    ))
}

#[cfg(test)]
mod tests;
