//! What this process proves itself with, and whom it trusts: replaced while it runs.
//!
//! ```text
//!   certificate and key, authorities ─▶ Identity ─▶ the newest configuration of TLS, for each connection
//!   revoked serial numbers ───────────▶          ─▶ is this peer revoked? for each call
//! ```
//!
//! TLS 1.3 alone, and no session is ever resumed: each connection proves again who its two ends are.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::Resumption;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::roles::Peer;

/// HTTP/2, which is all that is spoken.
const PROTOCOL: &[u8] = b"h2";

/// Why texts are no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// One of the texts is no PEM, or has not what it should have.
    #[error("the {what} cannot be read: PEM is expected")]
    Pem {
        /// Which text.
        what: &'static str,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// There is no certificate in it.
    #[error("the {what} has no certificate in it")]
    Empty {
        /// Which text.
        what: &'static str,
    },
    /// The certificate and the key do not belong together, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used together")]
    Unusable(#[from] rustls::Error),
    /// No authority can be trusted like this.
    #[error("the authorities cannot be used")]
    Authorities(#[from] VerifierBuilderError),
}

/// See the module. Cheap to share: all clones are one.
#[derive(Clone)]
pub struct Identity(Arc<Shared>);

struct Shared {
    newest: RwLock<Arc<Proof>>,
    /// Serial numbers, in hex.
    revoked: RwLock<Arc<BTreeSet<String>>>,
}

/// One certificate, as both sides of connections use it.
pub(crate) struct Proof {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
    own: Arc<Peer>,
}

impl Identity {
    /// Of these PEM texts: the cluster's authorities, and the process's own certificate and key.
    pub fn from_pem(
        authorities: &str,
        certificate: &str,
        key: &str,
    ) -> Result<Self, IdentityError> {
        let proof = Proof::new(authorities, certificate, key)?;
        Ok(Self(Arc::new(Shared {
            newest: RwLock::new(Arc::new(proof)),
            revoked: RwLock::default(),
        })))
    }

    /// Uses these from now on, see [`Identity::from_pem`]. Connections that there are finish the calls that are under
    /// way on them; calls that begin later are made on new ones.
    pub fn replace(
        &self,
        authorities: &str,
        certificate: &str,
        key: &str,
    ) -> Result<(), IdentityError> {
        let proof = Arc::new(Proof::new(authorities, certificate, key)?);
        *self
            .0
            .newest
            .write()
            .unwrap_or_else(PoisonError::into_inner) = proof;
        Ok(())
    }

    /// Refuses the holders of these certificates from now on, on connections that there are, too: all serial numbers,
    /// in hex as [`Peer::serial`] has them.
    pub fn revoke(&self, serials: BTreeSet<String>) {
        let mut revoked = self
            .0
            .revoked
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *revoked = Arc::new(serials);
    }

    /// What the process's own certificate says.
    pub fn own(&self) -> Arc<Peer> {
        Arc::clone(&self.newest().own)
    }

    pub(crate) fn newest(&self) -> Arc<Proof> {
        let newest = self.0.newest.read();
        Arc::clone(&newest.unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn has_revoked(&self, peer: &Peer) -> bool {
        let revoked = self.0.revoked.read();
        revoked
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&peer.serial)
    }
}

impl Proof {
    fn new(authorities: &str, certificate: &str, key: &str) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(authorities, "authority")? {
            roots.add(authority)?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(certificate, "certificate")?;
        let own = Arc::new(Peer::of(&chain[0]));
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|source| IdentityError::Pem {
                what: "key",
                source,
            })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());

        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), key.clone_key())?;
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        client.resumption = Resumption::disabled();

        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier.build()?)
            .with_single_cert(chain, key)?;
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self {
            client: Arc::new(client),
            server: Arc::new(server),
            own,
        })
    }
}

/// The certificates of a PEM text, one at least.
fn certificates(
    text: &str,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|source| IdentityError::Pem { what, source })?;
    match found.is_empty() {
        true => Err(IdentityError::Empty { what }),
        false => Ok(found),
    }
}
