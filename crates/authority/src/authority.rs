//! The authority itself: a certificate and its key, and what it signs. Neither clock nor IO.

use std::time::Duration;

use api::enrolment::{Holder, Issued};
use data_encoding::HEXLOWER;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use types::{Random, Timestamp};

use crate::request::{PublicKey, SigningKey};

/// How long the authority itself is valid: ten years.
const AUTHORITY_LASTS: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a certificate is valid, unless it is said otherwise.
pub(crate) const LASTS: Duration = Duration::from_secs(30 * 86_400);
/// Certificates are valid from this much earlier on: clocks differ.
const EARLIER: Duration = Duration::from_secs(300);
/// Of a serial number, which is random: it cannot be guessed, and none is used twice.
const SERIAL_BYTES: usize = 16;
const NAME: &str = "Lambent cluster authority";

/// Why a certificate is not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The cryptography refuses what it was given.
    #[error("the certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// The authority's own certificate is no PEM.
    #[error("the authority's certificate cannot be read")]
    Pem(#[from] rustls::pki_types::pem::Error),
}

/// See the module.
pub struct Authority {
    certificate: String,
    key: KeyPair,
}

/// A new certificate and its serial number, as [`api::enrolment::Renew::serial`] has it.
pub(crate) struct Signed {
    pub(crate) issued: Issued,
    pub(crate) serial: String,
}

impl Authority {
    /// A new one: ECDSA with P-256, valid for ten years.
    pub fn new(now: Timestamp, random: &dyn Random) -> Result<Self, IssueError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = name();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial(random));
        lasts(&mut params, now, AUTHORITY_LASTS);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { certificate, key })
    }

    /// One that was kept: its certificate and its private key, PEM.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IssueError> {
        let key = KeyPair::from_pem(key)?;
        fingerprint(certificate)?;
        Ok(Self {
            certificate: certificate.to_owned(),
            key,
        })
    }

    /// Its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its private key, PEM. Who has it can pretend to be any process of the cluster.
    pub fn private_key(&self) -> String {
        self.key.serialize_pem()
    }

    /// The certificate of the first host, which makes the cluster: valid for 30 days.
    pub fn first(
        &self,
        holder: &Holder,
        key: &SigningKey,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Issued, IssueError> {
        Ok(self
            .issue(holder, &key.public(), (now, LASTS), random)?
            .issued)
    }

    /// A certificate for who has the key of a signing request.
    pub(crate) fn issue(
        &self,
        holder: &Holder,
        key: &PublicKey,
        (now, lasting): (Timestamp, Duration),
        random: &dyn Random,
    ) -> Result<Signed, IssueError> {
        let mut params = CertificateParams::new(holder.dns_names())?;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, holder.host.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        let number = serial(random);
        let serial = HEXLOWER.encode(&number.to_bytes());
        params.serial_number = Some(number);
        lasts(&mut params, now, lasting);
        let mut issuer = CertificateParams::new(Vec::new())?;
        issuer.distinguished_name = name();
        let issuer = Issuer::new(issuer, &self.key);
        let certificate = params.signed_by(key, &issuer)?;
        Ok(Signed {
            issued: Issued {
                certificate: certificate.pem(),
                authorities: self.certificate.clone(),
                expires: now.after(lasting),
            },
            serial,
        })
    }
}

/// SHA-256 of a PEM certificate's DER, in hex: by which one who joins knows the authority.
pub fn fingerprint(certificate: &str) -> Result<String, rustls::pki_types::pem::Error> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes())?;
    Ok(fingerprint_of(&der))
}

pub(crate) fn fingerprint_of(der: &CertificateDer<'_>) -> String {
    HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, der).as_ref())
}

fn name() -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, NAME);
    name
}

/// Positive, and with as many bytes as it seems to have: the first bits are neither 1 nor all 0.
fn serial(random: &dyn Random) -> SerialNumber {
    let mut bytes = [0; SERIAL_BYTES];
    random.fill(&mut bytes);
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn lasts(params: &mut CertificateParams, now: Timestamp, lasting: Duration) {
    let epoch = date_time_ymd(1970, 1, 1);
    let now = Duration::from_millis(now.as_millis());
    params.not_before = epoch + now.saturating_sub(EARLIER);
    params.not_after = epoch + now + lasting;
}
