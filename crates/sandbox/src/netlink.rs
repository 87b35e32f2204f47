//! The few requests to the kernel's routing socket that give a sandbox a way out.
//!
//! ```text
//!   header (16 bytes): length, type, flags, number, port
//!   body: one fixed part for the type, then attributes: length (2), type (2), value, padding to 4
//! ```
//!
//! Spoken directly since the `ip` command takes milliseconds for what takes microseconds. A socket
//! belongs to the network namespace it was made in, wherever the thread that uses it is.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use crate::sys::sockets;

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE_NEW: u16 = 0x400 | 0x200;

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const ERROR: u16 = 2;

const LINK_NAME: u16 = 3;
const LINK_INFO: u16 = 18;
const LINK_NAMESPACE: u16 = 28;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_PEER: u16 = 1;
const ADDRESS: u16 = 1;
const ADDRESS_LOCAL: u16 = 2;
const ROUTE_OUT: u16 = 4;
const ROUTE_GATEWAY: u16 = 5;

const UP: u32 = 1;
const MAIN_TABLE: u8 = 254;
const SET_BY_ADMINISTRATOR: u8 = 4;
const UNICAST: u8 = 1;

/// A routing socket of one network namespace.
pub(crate) struct Netlink(OwnedFd);

impl Netlink {
    /// Of the namespace this thread is in.
    pub(crate) fn open() -> io::Result<Self> {
        sockets::routing().map(Self)
    }

    /// Makes a pair of interfaces: `name` here, `peer` in another namespace.
    pub(crate) fn add_pair(
        &self,
        name: &str,
        peer: &str,
        peer_namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let namespace = (peer_namespace.as_raw_fd() as u32).to_ne_bytes();
        let mut peer_link = link(0, 0);
        peer_link.attribute(LINK_NAME, &c_bytes(peer));
        peer_link.attribute(LINK_NAMESPACE, &namespace);
        let mut data = Body::default();
        data.attribute(VETH_PEER, &peer_link.0);
        let mut info = Body::default();
        info.attribute(INFO_KIND, b"veth\0");
        info.attribute(INFO_DATA, &data.0);
        let mut request = link(0, 0);
        request.attribute(LINK_NAME, &c_bytes(name));
        request.attribute(LINK_INFO, &info.0);
        self.ask(NEW_LINK, CREATE_NEW, &request).map(drop)
    }

    /// Removes an interface, and the other end of its pair.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let mut request = link(0, 0);
        request.attribute(LINK_NAME, &c_bytes(name));
        self.ask(DELETE_LINK, 0, &request).map(drop)
    }

    /// The number of the interface with this name.
    pub(crate) fn index(&self, name: &str) -> io::Result<u32> {
        let mut request = link(0, 0);
        request.attribute(LINK_NAME, &c_bytes(name));
        let answer = self.ask(GET_LINK, 0, &request)?;
        let index = answer.get(20..24).and_then(|bytes| bytes.try_into().ok());
        index.map(u32::from_ne_bytes).ok_or_else(malformed)
    }

    /// Gives an interface an address within a net of four, and brings it up.
    pub(crate) fn configure(&self, index: u32, address: Ipv4Addr) -> io::Result<()> {
        let family = libc::AF_INET as u8;
        let mut request = Body(vec![family, 30, 0, 0]);
        request.0.extend(index.to_ne_bytes());
        request.attribute(ADDRESS_LOCAL, &address.octets());
        request.attribute(ADDRESS, &address.octets());
        self.ask(NEW_ADDRESS, CREATE_NEW, &request)?;
        self.ask(NEW_LINK, 0, &link(index, UP)).map(drop)
    }

    /// Sends everything with an outside destination through an interface.
    pub(crate) fn default_route(&self, index: u32, gateway: Ipv4Addr) -> io::Result<()> {
        let family = libc::AF_INET as u8;
        let mut request = Body(vec![
            family,
            0,
            0,
            0,
            MAIN_TABLE,
            SET_BY_ADMINISTRATOR,
            0,
            UNICAST,
            0,
            0,
            0,
            0,
        ]);
        request.attribute(ROUTE_GATEWAY, &gateway.octets());
        request.attribute(ROUTE_OUT, &index.to_ne_bytes());
        self.ask(NEW_ROUTE, CREATE_NEW, &request).map(drop)
    }

    /// Sends a request and reads its one answer: an acknowledgement, an error or what was asked for.
    fn ask(&self, kind: u16, flags: u16, body: &Body) -> io::Result<Vec<u8>> {
        let wants = if kind == GET_LINK { 0 } else { ACKNOWLEDGE };
        let length = 16 + body.0.len() as u32;
        let mut request = length.to_ne_bytes().to_vec();
        request.extend(kind.to_ne_bytes());
        request.extend((REQUEST | wants | flags).to_ne_bytes());
        request.extend([0; 8]);
        request.extend(&body.0);
        sockets::send(self.0.as_fd(), &request, &[], true)?;
        let mut answer = vec![0; 16 << 10];
        let length = sockets::receive(self.0.as_fd(), &mut answer, true)?.length;
        answer.truncate(length);
        let field = |from: usize| answer.get(from..from + 4).and_then(|b| b.try_into().ok());
        let kind = field(4).map(|bytes: [u8; 4]| u16::from_ne_bytes([bytes[0], bytes[1]]));
        if kind == Some(ERROR) {
            match field(16).map(i32::from_ne_bytes) {
                Some(0) => {}
                Some(negative) => return Err(io::Error::from_raw_os_error(-negative)),
                None => return Err(malformed()),
            }
        }
        Ok(answer)
    }
}

/// A body, or a part of one.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(4 + value.len()).expect("our attributes are short");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

/// The fixed part of a request about an interface: which (0 for a new one), and flags to set.
fn link(index: u32, flags: u32) -> Body {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    Body(body)
}

fn c_bytes(text: &str) -> Vec<u8> {
    text.bytes().chain([0]).collect()
}

fn malformed() -> io::Error {
    io::Error::other("a malformed answer of the routing socket")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_but_their_length_is_not() {
        let mut body = Body::default();
        body.attribute(3, b"lo\0");
        body.attribute(1, &[1, 2, 3, 4]);
        let mut expected = Vec::new();
        for half in [7_u16, 3] {
            expected.extend(half.to_ne_bytes());
        }
        expected.extend(b"lo\0\0");
        for half in [8_u16, 1] {
            expected.extend(half.to_ne_bytes());
        }
        expected.extend([1, 2, 3, 4]);
        assert_eq!(body.0, expected);
    }

    #[test]
    fn the_loopback_interface_is_found() {
        assert_eq!(Netlink::open().unwrap().index("lo").unwrap(), 1);
    }

    #[test]
    fn the_kernels_refusal_is_an_error() {
        let error = Netlink::open().unwrap().index("not-there").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}
