//! A message's subject says for whom it is kept and how large it is, so that the server counts what is kept:
//!
//! ```text
//!   <stream>.now.<bytes>.<owner>                what can be received
//!   <stream>.later.<id>.<bytes>.<owner>         what the server moves there at its time
//! ```

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use storage::queue::Usage;
use types::Timestamp;

use crate::names;

/// The largest body that is kept in the stream itself; larger ones are blobs.
pub(super) const INLINE_BYTES_MAX: usize = 64 * 1024;

const VISIBLE: &str = "Lambent-Visible";
const BLOB: &str = "Lambent-Blob";
const RECEIVES: &str = "Lambent-Receives";

/// Of what a stream's subjects are.
pub(super) fn now(stream: &str) -> String {
    format!("{stream}.now.>")
}

pub(super) fn later(stream: &str) -> String {
    format!("{stream}.later.>")
}

/// Those of one owner that are not to be seen yet.
pub(super) fn later_of(stream: &str, owner: &str) -> String {
    format!("{stream}.later.*.*.{}", names::subject(owner))
}

/// A message, without its body.
pub(super) struct Envelope {
    pub(super) owner: String,
    pub(super) bytes: usize,
    /// From when on it can be received.
    pub(super) visible: Timestamp,
    /// The blob with its body.
    pub(super) blob: Option<String>,
    /// How often it was received in another message's form.
    pub(super) receives: u32,
}

impl Envelope {
    /// Where it is put, and with what headers, to be seen after `delay`.
    pub(super) fn address(&self, stream: &str, id: &str, delay: Duration) -> (String, HeaderMap) {
        let owner = names::subject(&self.owner);
        let now = format!("{stream}.now.{}.{owner}", self.bytes);
        let mut headers = HeaderMap::new();
        let visible = self.visible.as_millis().to_string();
        headers.insert(VISIBLE, visible.as_str());
        if let Some(blob) = &self.blob {
            headers.insert(BLOB, blob.as_str());
        }
        if self.receives > 0 {
            headers.insert(RECEIVES, self.receives.to_string().as_str());
        }
        if delay.is_zero() {
            return (now, headers);
        }
        let at = format!("@at {}", self.visible.to_iso_text());
        headers.insert("Nats-Schedule", at.as_str());
        headers.insert("Nats-Schedule-Target", now.as_str());
        let later = format!("{stream}.later.{id}.{}.{owner}", self.bytes);
        (later, headers)
    }

    /// What subject and headers say. Nothing of a message that is not ours.
    pub(super) fn read<'a>(
        subject: &str,
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<Self> {
        let (owner, bytes) = counted(subject)?;
        let number = |name| header(name).and_then(|text| text.parse::<u64>().ok());
        Some(Self {
            owner,
            bytes: usize::try_from(bytes).ok()?,
            visible: Timestamp::from_millis(number(VISIBLE)?),
            blob: header(BLOB).map(str::to_owned),
            receives: u32::try_from(number(RECEIVES).unwrap_or(0)).ok()?,
        })
    }
}

/// For whom a message of this subject is kept, and how many bytes it has.
pub(super) fn counted(subject: &str) -> Option<(String, u64)> {
    let (_, rest) = subject.split_once('.')?;
    let rest = match rest.split_once('.')? {
        ("now", rest) => rest,
        ("later", rest) => rest.split_once('.')?.1,
        _ => return None,
    };
    let (bytes, owner) = rest.split_once('.')?;
    Some((names::key(owner)?, bytes.parse().ok()?))
}

/// Adds a number of messages that have these bytes each.
pub(super) fn add(usage: &mut Usage, messages: u64, bytes: u64) {
    usage.messages += messages;
    usage.bytes += messages * bytes;
}

/// The first bytes of a body.
pub(super) fn beginning(body: &Bytes, bytes: usize) -> Bytes {
    body.slice(..bytes.min(body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_says_for_whom_and_how_large() {
        for owner in ["", "111/us-east-1/f", "a.b/*"] {
            for delay in [Duration::ZERO, Duration::from_secs(1)] {
                let envelope = Envelope {
                    owner: owner.to_owned(),
                    bytes: 77,
                    visible: Timestamp::from_millis(5),
                    blob: None,
                    receives: 3,
                };
                let (subject, headers) = envelope.address("stream", "id", delay);
                let header = |name: &str| headers.get(name).map(|value| value.as_str());
                let read = Envelope::read(&subject, header).unwrap();
                assert_eq!((&*read.owner, read.bytes, read.receives), (owner, 77, 3));
            }
        }
    }
}
