//! The parts that messages are made of, in bytes.

use std::ffi::{CString, OsStr};
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::Mount;

/// Appends parts.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    pub(super) fn i32(self, value: i32) -> Self {
        self.u32(value as u32)
    }
    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    pub(super) fn bytes(self, value: &[u8]) -> Self {
        let length = u32::try_from(value.len()).expect("a message's part is below 4 GiB");
        let mut writer = self.u32(length);
        writer.0.extend(value);
        writer
    }
    pub(super) fn list(self, values: &[CString]) -> Self {
        let length = u32::try_from(values.len()).expect("a message has below 4 G parts");
        values.iter().fold(self.u32(length), |writer, value| {
            writer.bytes(value.as_bytes())
        })
    }
    pub(super) fn path(self, value: &Path) -> Self {
        self.bytes(value.as_os_str().as_bytes())
    }
    pub(super) fn addresses(self, values: &[Ipv4Addr]) -> Self {
        let length = u32::try_from(values.len()).expect("a host has a few resolvers");
        let writer = self.u32(length);
        values
            .iter()
            .fold(writer, |writer, value| writer.u32(value.to_bits()))
    }
    pub(super) fn optional(self, text: Option<&str>) -> Self {
        match text {
            None => self.u32(0),
            Some(text) => self.u32(1).bytes(text.as_bytes()),
        }
    }
    pub(super) fn mounts(self, mounts: &[Mount]) -> Self {
        let length = u32::try_from(mounts.len()).expect("a sandbox has a few shared folders");
        mounts.iter().fold(self.u32(length), |writer, mount| {
            let writer = writer.bytes(mount.name.as_bytes());
            let writer = writer.u32(u32::from(mount.read_only));
            match mount.user {
                None => writer.u32(0),
                Some((user, group)) => writer.u32(1).u32(user).u32(group),
            }
        })
    }
}

/// Takes parts off the front. `None` where there is no such part.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
    pub(super) fn i32(&mut self) -> Option<i32> {
        Some(self.u32()? as i32)
    }
    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }
    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
    pub(super) fn c_text(&mut self) -> Option<CString> {
        CString::new(self.bytes()?).ok()
    }
    pub(super) fn list(&mut self) -> Option<Vec<CString>> {
        // Not `with_capacity`: the length is a claim until the parts have been read.
        let length = self.u32()?;
        (0..length).map(|_| self.c_text()).collect()
    }
    pub(super) fn path(&mut self) -> Option<PathBuf> {
        Some(PathBuf::from(OsStr::from_bytes(self.bytes()?)))
    }
    pub(super) fn addresses(&mut self) -> Option<Vec<Ipv4Addr>> {
        let length = self.u32()?;
        (0..length)
            .map(|_| self.u32().map(Ipv4Addr::from_bits))
            .collect()
    }
    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.u32()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    pub(super) fn optional(&mut self) -> Option<Option<String>> {
        Some(match self.flag()? {
            false => None,
            true => Some(self.text()?),
        })
    }
    pub(super) fn mounts(&mut self) -> Option<Vec<Mount>> {
        let length = self.u32()?;
        (0..length).map(|_| self.mount()).collect()
    }
    fn mount(&mut self) -> Option<Mount> {
        Some(Mount {
            name: self.text()?,
            read_only: self.flag()?,
            user: if self.flag()? {
                Some((self.u32()?, self.u32()?))
            } else {
                None
            },
        })
    }
    pub(super) fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}
