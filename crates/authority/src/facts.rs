//! What a certificate says of itself: its serial number, and from when and until when it is valid.
//!
//! ```text
//!   Certificate ::= SEQUENCE { SEQUENCE { [0] version, serial, algorithm, issuer, SEQUENCE { from, until }, … }, … }
//! ```

use data_encoding::HEXLOWER;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use types::Timestamp;
use yasna::tags::TAG_UTCTIME;
use yasna::{ASN1Result, BERReader, Tag};

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// As [`api::enrolment::Renew::serial`] has it.
    pub serial: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Facts {
    /// Of a certificate, PEM. `None` if it is none.
    pub fn of_pem(certificate: &str) -> Option<Self> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
        yasna::parse_der(&der, read).ok()
    }
}

fn read(reader: BERReader<'_, '_>) -> ASN1Result<Facts> {
    reader.read_sequence(|certificate| {
        let facts = certificate.next().read_sequence(|signed| {
            signed
                .next()
                .read_tagged(Tag::context(0), |version| version.read_u8())?;
            let (serial, _) = signed.next().read_bigint_bytes()?;
            for _ in ["algorithm", "issuer"] {
                signed.next().read_der()?;
            }
            let facts = signed.next().read_sequence(|dates| {
                let significant = serial.iter().position(|byte| *byte != 0);
                Ok(Facts {
                    serial: HEXLOWER.encode(&serial[significant.unwrap_or(serial.len())..]),
                    from: time(dates.next())?,
                    until: time(dates.next())?,
                })
            })?;
            while signed.read_optional(|rest| rest.read_der())?.is_some() {}
            Ok(facts)
        })?;
        certificate.next().read_der()?;
        certificate.next().read_der()?;
        Ok(facts)
    })
}

fn time(reader: BERReader<'_, '_>) -> ASN1Result<Timestamp> {
    let seconds = match reader.lookahead_tag()? == TAG_UTCTIME {
        true => reader.read_utctime()?.datetime().unix_timestamp(),
        false => reader.read_generalized_time()?.datetime().unix_timestamp(),
    };
    let seconds = u64::try_from(seconds).unwrap_or_default();
    Ok(Timestamp::from_millis(seconds.saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_break_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = yasna::parse_der(&bytes, read);
        }
    }
}
