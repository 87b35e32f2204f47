//! The names of blobs: what they say without being read.
//!
//! ```text
//!   logs/<account>/<region>/<group>/<first>-<last>-<received>-<bytes>-w<taker>-<number>   events, as they were taken
//!                                   <first>-<last>-<received>-<bytes>-m<merge>-<made>     events of several of those
//!                                   i-<…>                    which streams are in the merged events of that name
//!                                   m-<stream>-<time>-c      a stream was created
//!                                   m-<stream>-<time>-d      a stream was deleted
//!                                   m-<time>                 the group was deleted
//! ```
//!
//! All numbers are hexadecimal, of fixed width, times in milliseconds: the names of a group's events are in the order of
//! their first event, so that a list can begin where a search does. Account, region and group are those of the name,
//! whatever is inside.
//!
//! A group is `n` and its name with everything but letters, digits, `-` and `_` as `.XX`, or, if that is too long, `h`
//! and its SHA-256; what is inside has the name as well.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use storage::blobs::NAME_BYTES_MAX;
use types::{AccountId, Region, Scope};

/// What comes before everything.
pub(super) const ROOT: &str = "logs/";
/// The longest leaf: an index.
const LEAF_BYTES_MAX: usize = 80;
/// The last time that a name can say.
pub(super) const TIME_MAX: u64 = (1 << 44) - 1;
/// The longest segment that is read. One is cut at [`super::segment::CUT_BYTES`]; its last event may be of a megabyte,
/// which JSON may write six times as long.
pub(super) const SEGMENT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How far the events of one segment may be apart, milliseconds: a day.
pub(super) const SPAN_MAX: u64 = 24 * 60 * 60 * 1000;

/// A stream's name, hashed.
pub(super) type StreamHash = [u8; 16];

/// A blob with events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct SegmentName {
    /// The time of its first event.
    pub(super) first: u64,
    /// That of its last.
    pub(super) last: u64,
    /// When the last of them was received.
    pub(super) received: u64,
    /// Its length.
    pub(super) bytes: u64,
    /// Who made it.
    pub(super) maker: Maker,
}

/// Who made a segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Maker {
    /// What took the events; with the number of one that is in no other.
    Taker(u64, u64),
    /// A merge, by chance; with the time.
    Merge(u64, u64),
}

/// A blob of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Leaf {
    /// Events.
    Segment(SegmentName),
    /// Which streams are in that segment.
    Index(SegmentName),
    /// A stream was created then.
    Created(StreamHash, u64),
    /// A stream was deleted then.
    Deleted(StreamHash, u64),
    /// The group was deleted then.
    GroupDeleted(u64),
}

/// What a group is called in names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Component {
    /// By its name.
    Plain(String),
    /// By a hash of it.
    Hashed,
}

/// The beginning of the names of a scope's blobs.
pub(super) fn scope_prefix(scope: &Scope) -> String {
    format!("{ROOT}{}/{}/", scope.account, scope.region)
}

/// The beginning of the names of a group's blobs.
pub(super) fn group_prefix(scope: &Scope, group: &str) -> String {
    let mut prefix = scope_prefix(scope);
    let plain = plain(group);
    if prefix.len() + plain.len() + 1 + LEAF_BYTES_MAX <= NAME_BYTES_MAX {
        prefix.push_str(&plain);
    } else {
        let hash = digest(&SHA256, group.as_bytes());
        prefix.push('h');
        // 48 hexadecimal digits, which fit whatever the region is.
        prefix.push_str(&HEXLOWER.encode(hash.as_ref().first_chunk::<24>().unwrap_or(&[0; 24])));
    }
    prefix.push('/');
    prefix
}

/// The scope, the group and the leaf in a blob's name; `None` if it is not one of ours.
pub(super) fn split(name: &str) -> Option<(Scope, Component, &str)> {
    let mut parts = name.strip_prefix(ROOT)?.splitn(4, '/');
    let scope = Scope {
        account: AccountId::new(parts.next()?).ok()?,
        region: Region::new(parts.next()?).ok()?,
    };
    let component = parts.next()?;
    let leaf = parts.next()?;
    let component = match component.strip_prefix('n') {
        Some(_) => Component::Plain(decode(component)?),
        None => component.strip_prefix('h').map(|_| Component::Hashed)?,
    };
    Some((scope, component, leaf))
}

/// A stream's name as leaves have it.
pub(super) fn stream_hash(stream: &str) -> StreamHash {
    let hash = digest(&SHA256, stream.as_bytes());
    *hash.as_ref().first_chunk().unwrap_or(&[0; 16])
}

impl SegmentName {
    /// Whether it was merged.
    pub(super) fn is_merged(&self) -> bool {
        matches!(self.maker, Maker::Merge(..))
    }
}

impl std::fmt::Display for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Segment(name) => name.fmt(f),
            Self::Index(name) => write!(f, "i-{name}"),
            Self::Created(stream, at) => write!(f, "m-{}-{at:011x}-c", HEXLOWER.encode(stream)),
            Self::Deleted(stream, at) => write!(f, "m-{}-{at:011x}-d", HEXLOWER.encode(stream)),
            Self::GroupDeleted(at) => write!(f, "m-{at:011x}"),
        }
    }
}

impl std::fmt::Display for SegmentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, by, number) = match self.maker {
            Maker::Taker(taker, number) => ('w', taker, number),
            Maker::Merge(merge, made) => ('m', merge, made),
        };
        let Self {
            first,
            last,
            received,
            bytes,
            ..
        } = self;
        write!(
            f,
            "{first:011x}-{last:011x}-{received:011x}-{bytes:07x}-{kind}{by:016x}-{number:016x}"
        )
    }
}

/// Reads a leaf; `None` if it is not one that we would write.
pub(super) fn leaf(text: &str) -> Option<Leaf> {
    let read = match text.split_once('-')? {
        ("i", name) => Leaf::Index(segment(name)?),
        ("m", marker) => marked(marker)?,
        _ => Leaf::Segment(segment(text)?),
    };
    Some(read).filter(|leaf| leaf.to_string() == text)
}

fn marked(text: &str) -> Option<Leaf> {
    let mut parts = text.split('-');
    let first = parts.next()?;
    let Some(at) = parts.next() else {
        return Some(Leaf::GroupDeleted(number(first)?));
    };
    let stream = HEXLOWER.decode(first.as_bytes()).ok()?.try_into().ok()?;
    match parts.next()? {
        "c" => Some(Leaf::Created(stream, number(at)?)),
        "d" => Some(Leaf::Deleted(stream, number(at)?)),
        _ => None,
    }
}

fn segment(text: &str) -> Option<SegmentName> {
    let mut parts = text.split('-');
    let mut next = || parts.next().and_then(number);
    let (first, last, received, bytes) = (next()?, next()?, next()?, next()?);
    let by = parts.next()?;
    let of = parts.next().and_then(number)?;
    let maker = match by.split_at_checked(1)? {
        ("w", taker) => Maker::Taker(number(taker)?, of),
        ("m", merge) => Maker::Merge(number(merge)?, of),
        _ => return None,
    };
    let fits = first <= last && last - first <= SPAN_MAX && bytes <= SEGMENT_BYTES_MAX;
    fits.then_some(SegmentName {
        first,
        last,
        received,
        bytes,
        maker,
    })
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

fn plain(group: &str) -> String {
    let mut encoded = String::from("n");
    for byte in group.bytes() {
        match byte {
            b'-' | b'_' => encoded.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => encoded.push(byte.into()),
            _ => drop(write!(encoded, ".{byte:02X}")),
        }
    }
    encoded
}

/// The opposite of [`plain`].
fn decode(component: &str) -> Option<String> {
    let mut parts = component.strip_prefix('n')?.split('.');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (byte, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(byte, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    let group = String::from_utf8(bytes).ok()?;
    Some(group).filter(|group| plain(group) == component)
}
