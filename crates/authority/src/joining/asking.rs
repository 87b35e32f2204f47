//! The side of the host that joins.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use api::enrolment::dns_name;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use types::Role;

use super::{ANSWER_BYTES_MAX, Joined, PATH, Question};
use crate::authority::fingerprint_of;
use crate::token::Token;

/// For all of it.
const WITHIN: Duration = Duration::from_secs(60);

/// Why a host has not joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Nobody can be reached, or who was is not this cluster.
    #[error("no process of the cluster that is named in the token could be spoken to at {address}")]
    Connect {
        /// The token's.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection ended early.
    #[error("the connection was lost; the token may be used up")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It was refused.
    #[error("the cluster refuses: {why}")]
    Refused {
        /// What it says.
        why: String,
    },
}

/// Joins by a token: `request` is a signing request for the host's key, PEM.
pub async fn join(token: &Token, request: String) -> Result<Joined, JoinError> {
    let joined = timeout(WITHIN, ask(token, request)).await;
    joined.unwrap_or_else(|_| Err(JoinError::Lost("no answer in time".into())))
}

async fn ask(token: &Token, request: String) -> Result<Joined, JoinError> {
    let connected = connect(token).await;
    let tls = connected.map_err(|source| JoinError::Connect {
        address: token.address.clone(),
        source,
    })?;
    let lost = |error: hyper::Error| JoinError::Lost(error.into());
    let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await.map_err(lost)?;
    let question = Question {
        secret: token.secret.clone(),
        request,
    };
    let body = serde_json::to_vec(&question).map_err(|error| JoinError::Lost(error.into()))?;
    let request = Request::post(PATH)
        .header(http::header::HOST, dns_name(Role::Control))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| JoinError::Lost(error.into()))?;
    // Ends with the answer: the cluster closes the connection.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(lost)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let body = body.collect().await.map_err(JoinError::Lost)?.to_bytes();
    if status != StatusCode::OK {
        let why = String::from_utf8_lossy(&body);
        let why: String = why
            .chars()
            .filter(|char| !char.is_control())
            .take(300)
            .collect();
        return Err(JoinError::Refused { why });
    }
    serde_json::from_slice(&body).map_err(|error| JoinError::Lost(error.into()))
}

async fn connect(token: &Token) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let known = Known {
        fingerprint: token.fingerprint.clone(),
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(known))
        .with_no_client_auth();
    let name = ServerName::try_from(dns_name(Role::Control)).map_err(io::Error::other)?;
    let plain = TcpStream::connect(&token.address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(name, plain)
        .await
}

/// Trusts the authority with a fingerprint, and whom it has issued a certificate for the name.
#[derive(Debug)]
struct Known {
    fingerprint: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut shown = intermediates.iter();
        let authority = shown.find(|shown| fingerprint_of(shown) == self.fingerprint);
        let authority = authority.ok_or(CertificateError::UnknownIssuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 is spoken alone".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
