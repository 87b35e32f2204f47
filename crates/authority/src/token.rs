//! A join token: what an operator gives to a host that is to join.
//!
//! ```text
//!   <secret, hex> . <fingerprint of the authority, hex> @ <address to join at>
//! ```
//!
//! The secret lets the host in; the fingerprint lets the host know that it speaks to this cluster.

use std::fmt;
use std::str::FromStr;

use api::Secret;
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use types::Random;

const SECRET_BYTES: usize = 32;
const ADDRESS_CHARACTERS_MAX: usize = 300;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// `host:port` to join at.
    pub address: String,
    /// See [`crate::fingerprint`].
    pub fingerprint: String,
    /// Used once.
    pub secret: Secret,
}

/// A text that is no join token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "this is no join token: `lambent cluster token` prints one, <secret>.<fingerprint>@<address>"
)]
pub struct NoToken;

impl Token {
    /// A new one.
    pub fn new(address: String, fingerprint: String, random: &dyn Random) -> Self {
        let mut secret = [0; SECRET_BYTES];
        random.fill(&mut secret);
        Self {
            address,
            fingerprint,
            secret: Secret::new(HEXLOWER.encode(&secret)),
        }
    }

    /// The token as it is handed over: a secret.
    pub fn to_text(&self) -> String {
        let secret = self.secret.expose();
        format!("{secret}.{}@{}", self.fingerprint, self.address)
    }
}

impl FromStr for Token {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let (secrets, address) = text.split_once('@').ok_or(NoToken)?;
        let (secret, fingerprint) = secrets.split_once('.').ok_or(NoToken)?;
        let is_address = address.len() <= ADDRESS_CHARACTERS_MAX
            && address.bytes().all(|byte| byte.is_ascii_graphic())
            && address.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
            });
        match is_secret(secret) && is_secret(fingerprint) && is_address {
            true => Ok(Self {
                address: address.to_owned(),
                fingerprint: fingerprint.to_owned(),
                secret: Secret::new(secret),
            }),
            false => Err(NoToken),
        }
    }
}

fn is_secret(text: &str) -> bool {
    HEXLOWER
        .decode(text.as_bytes())
        .is_ok_and(|bytes| bytes.len() == SECRET_BYTES)
}

/// By which a table knows a secret: its SHA-256. From it the secret cannot be found, and how long it takes to find a row
/// by it says nothing about a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hash(String);

impl Hash {
    pub(crate) fn of(secret: &Secret) -> Self {
        let hash = digest(&SHA256, secret.expose().as_bytes());
        Self(HEXLOWER.encode(hash.as_ref()))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::SystemRandom;

    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_shows_no_secret() {
        let token = Token::new(
            "h1.example.com:9103".to_owned(),
            "0".repeat(64),
            &SystemRandom,
        );
        let text = token.to_text();
        assert_eq!(text.parse(), Ok(token.clone()));
        assert!(!format!("{token:?}").contains(token.secret.expose()));
        let other = Token::new(
            token.address.clone(),
            token.fingerprint.clone(),
            &SystemRandom,
        );
        assert_ne!(other, token);
        for wrong in [
            &text[1..],
            &text.to_uppercase(),
            &text.replace('@', "."),
            &text.replace(":9103", ""),
            &text.replace(":9103", ":0"),
            &text.replace(":9103", ":99999"),
            &text.replace("h1.example.com", ""),
        ] {
            assert_eq!(wrong.parse::<Token>(), Err(NoToken), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,300}") {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.to_text(), text);
            }
        }
    }
}
