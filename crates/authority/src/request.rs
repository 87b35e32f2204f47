//! Signing requests: made by who wants a certificate, read by who issues it.
//!
//! ```text
//!   CertificationRequest ::= SEQUENCE { info, algorithm, signature }            RFC 2986
//!   info ::= SEQUENCE { version, subject, SEQUENCE { algorithm, public key }, attributes }
//! ```
//!
//! What is read is the public key, and whether the sender has its private key. Everything else is skipped, the names in
//! particular. One kind of key is taken: ECDSA with P-256.

use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject as _;
use yasna::models::ObjectIdentifier;
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader};

use crate::authority::IssueError;

/// A point, not compressed: 4, then two numbers of 32 bytes.
const POINT_BYTES: usize = 65;
/// Longer requests are not read. One has some 400 bytes.
const REQUEST_BYTES_MAX: usize = 8_192;
/// The longest host and zone: with what is around it, a DNS name has 253 characters.
const NAME_CHARACTERS_MAX: usize = 200;
const LABEL_CHARACTERS_MAX: usize = 63;

/// The private key of a process, and its signing request.
pub struct SigningKey(KeyPair);

impl SigningKey {
    /// A new one.
    pub fn new() -> Result<Self, IssueError> {
        Ok(Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?))
    }

    /// One that was kept, PEM.
    pub fn from_pem(key: &str) -> Result<Self, IssueError> {
        Ok(Self(KeyPair::from_pem(key)?))
    }

    /// The key, PEM: a secret.
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.der_bytes().to_vec())
    }

    /// The signing request, PEM.
    pub fn request(&self) -> Result<String, IssueError> {
        let request = CertificateParams::new(Vec::new())?.serialize_request(&self.0)?;
        Ok(request.pem()?)
    }
}

/// A public key whose private one the sender of a request has.
#[derive(Debug, PartialEq)]
pub(crate) struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Of a signing request, PEM. `None` if it is none, or is not signed with that key.
    pub(crate) fn of_request(request: &str) -> Option<Self> {
        if request.len() > REQUEST_BYTES_MAX {
            return None;
        }
        let der = CertificateSigningRequestDer::from_pem_slice(request.as_bytes()).ok()?;
        let (signed, point, signature) = yasna::parse_der(&der, read).ok()?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &point);
        key.verify(&signed, &signature).ok()?;
        Some(Self(point))
    }

    #[cfg(test)]
    pub(crate) fn point(&self) -> &[u8] {
        &self.0
    }
}

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// What is signed, the key in it, and the signature.
type Parts = (Vec<u8>, Vec<u8>, Vec<u8>);

fn read(reader: BERReader<'_, '_>) -> ASN1Result<Parts> {
    reader.read_sequence(|request| {
        let signed = request.next().read_der()?;
        let point = yasna::parse_der(&signed, info)?;
        algorithm(request.next(), &[&[1, 2, 840, 10045, 4, 3, 2]])?;
        let signature = whole_bytes(request.next())?;
        Ok((signed, point, signature))
    })
}

fn info(reader: BERReader<'_, '_>) -> ASN1Result<Vec<u8>> {
    reader.read_sequence(|info| {
        info.next().read_u8()?;
        info.next().read_der()?;
        let point = info.next().read_sequence(|key| {
            // A key of an elliptic curve, which is P-256.
            algorithm(
                key.next(),
                &[&[1, 2, 840, 10045, 2, 1], &[1, 2, 840, 10045, 3, 1, 7]],
            )?;
            whole_bytes(key.next())
        })?;
        info.next().read_der()?;
        match point.len() == POINT_BYTES {
            true => Ok(point),
            false => Err(ASN1Error::new(ASN1ErrorKind::Invalid)),
        }
    })
}

fn algorithm(reader: BERReader<'_, '_>, expected: &[&[u64]]) -> ASN1Result<()> {
    reader.read_sequence(|parts| {
        for expected in expected {
            if parts.next().read_oid()? != ObjectIdentifier::from_slice(expected) {
                return Err(ASN1Error::new(ASN1ErrorKind::Invalid));
            }
        }
        Ok(())
    })
}

fn whole_bytes(reader: BERReader<'_, '_>) -> ASN1Result<Vec<u8>> {
    let (bytes, bits) = reader.read_bitvec_bytes()?;
    match bits == bytes.len() * 8 {
        true => Ok(bytes),
        false => Err(ASN1Error::new(ASN1ErrorKind::Invalid)),
    }
}

/// Whether a host or a zone can be called so in a certificate: as DNS names are, in lower case.
pub fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=LABEL_CHARACTERS_MAX).contains(&label.len())
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= NAME_CHARACTERS_MAX && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::PKCS_ED25519;

    use super::*;

    #[test]
    fn the_key_of_a_request_is_read_and_nothing_else() {
        let key = SigningKey::new().unwrap();
        let request = key.request().unwrap();
        let read = PublicKey::of_request(&request).unwrap();
        assert_eq!(read.point(), key.0.der_bytes());
        let named = CertificateParams::new(vec!["control.role.lambent".to_owned()]).unwrap();
        let named = named.serialize_request(&key.0).unwrap().pem().unwrap();
        assert_eq!(PublicKey::of_request(&named), Some(read));
    }

    #[test]
    fn a_request_that_its_key_has_not_signed_is_none() {
        let key = SigningKey::new().unwrap();
        let request = key.request().unwrap();
        let der = CertificateSigningRequestDer::from_pem_slice(request.as_bytes()).unwrap();
        // Each byte matters, but for the very last ones of the signature's own encoding.
        for place in 0..der.len() {
            let mut other = der.to_vec();
            other[place] ^= 1;
            let text = data_encoding::BASE64.encode(&other);
            let text = format!(
                "-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"
            );
            assert_eq!(PublicKey::of_request(&text), None, "byte {place}");
        }
    }

    #[test]
    fn other_kinds_of_keys_are_not_taken() {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let request = CertificateParams::new(Vec::new()).unwrap();
        let request = request.serialize_request(&key).unwrap().pem().unwrap();
        assert_eq!(PublicKey::of_request(&request), None);
    }

    #[test]
    fn names_are_those_of_hosts() {
        for name in ["h1", "h-1.example.com", "0"] {
            assert!(is_name(name), "{name}");
        }
        let long = "x".repeat(64);
        for name in ["", "-h", "h-", "H", "a..b", ".", "h_1", "h 1", "ä", &long] {
            assert!(!is_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = yasna::parse_der(&bytes, read);
        }

        #[test]
        fn no_change_breaks_a_reader(place in 0_usize..2_000, byte in any::<u8>()) {
            let request = SigningKey::new().unwrap().request().unwrap();
            let der = CertificateSigningRequestDer::from_pem_slice(request.as_bytes()).unwrap();
            let mut der = der.to_vec();
            let place = place % der.len();
            der[place] = byte;
            let _ = yasna::parse_der(&der, read);
        }

        #[test]
        fn no_text_breaks_a_reader(text in ".{0,200}") {
            let _ = PublicKey::of_request(&text);
        }
    }
}
