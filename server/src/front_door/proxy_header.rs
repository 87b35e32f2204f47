//! The header of the PROXY protocol, versions 1 and 2: a balancer that hands on bytes says, before anything else on a
//! connection, whose bytes they are.
//!
//! What a header has beyond the client's address is not used. A balancer's own connections, by which it checks whether
//! we live, name nobody.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a header of version 2 begins with. No header of version 1 is as short.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of the longest header of version 1, with its end.
const LINE_BYTES_MAX: usize = 107;
/// Bytes that may follow the first sixteen of version 2: some hundred are usual.
const REST_BYTES_MAX: usize = 4_096;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoHeader {
    /// The connection ended, or failed.
    #[error("the connection ended before its header was complete")]
    Ended(#[from] io::Error),
    /// Something else came.
    #[error("it does not begin with a header of the PROXY protocol")]
    Absent,
    /// It began as one.
    #[error("its header of the PROXY protocol is malformed")]
    Malformed,
}

/// Reads a header, and no byte that follows it. `None` if it names no client.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Option<IpAddr>, NoHeader> {
    let mut first = [0; SIGNATURE.len()];
    stream.read_exact(&mut first).await?;
    if first == SIGNATURE {
        let mut fixed = [0; 4];
        stream.read_exact(&mut fixed).await?;
        let [version, family, length @ ..] = fixed;
        let length = usize::from(u16::from_be_bytes(length));
        if length > REST_BYTES_MAX {
            return Err(NoHeader::Malformed);
        }
        let mut rest = vec![0; length];
        stream.read_exact(&mut rest).await?;
        return binary(version, family, &rest).ok_or(NoHeader::Malformed);
    }
    if !first.starts_with(b"PROXY ") {
        return Err(NoHeader::Absent);
    }
    let mut line = first.to_vec();
    // Byte by byte: what follows is the client's.
    while !line.ends_with(b"\n") && line.len() < LINE_BYTES_MAX {
        line.push(stream.read_u8().await?);
    }
    text(&line).ok_or(NoHeader::Malformed)
}

/// Version 1. Pure.
fn text(line: &[u8]) -> Option<Option<IpAddr>> {
    let line = str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return None;
    }
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let [source, destination, from, to] =
        [words.next()?, words.next()?, words.next()?, words.next()?];
    let is_port = |text: &str| {
        let canonical = text.parse::<u16>().map(|port| port.to_string());
        canonical.is_ok_and(|canonical| canonical == text)
    };
    if words.next().is_some() || !is_port(from) || !is_port(to) {
        return None;
    }
    let source: IpAddr = source.parse().ok()?;
    let destination: IpAddr = destination.parse().ok()?;
    let is_right = match family {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    is_right.then_some(Some(source))
}

/// Version 2, from the thirteenth byte on. Pure.
fn binary(version: u8, family: u8, rest: &[u8]) -> Option<Option<IpAddr>> {
    match version {
        // The balancer's own.
        0x20 => return Some(None),
        0x21 => {}
        _ => return None,
    }
    match family {
        // Of a kind that has no address.
        0x00 => Some(None),
        0x11 => {
            let (addresses, _) = rest.split_first_chunk::<12>()?;
            let (source, _) = addresses.split_first_chunk::<4>()?;
            Some(Some(Ipv4Addr::from(*source).into()))
        }
        0x21 => {
            let (addresses, _) = rest.split_first_chunk::<36>()?;
            let (source, _) = addresses.split_first_chunk::<16>()?;
            Some(Some(Ipv6Addr::from(*source).into()))
        }
        // From a socket of the balancer's machine.
        0x31 => (rest.len() >= 216).then_some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;

    /// What is read of a header, and what is left after it.
    fn given(bytes: &[u8]) -> (Result<Option<IpAddr>, NoHeader>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut stream = bytes;
            let read = read(&mut stream).await;
            (read, stream.to_vec())
        })
    }

    fn written_as_text(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        let (from, to) = (source.port(), destination.port());
        format!(
            "PROXY {family} {} {} {from} {to}\r\n",
            source.ip(),
            destination.ip()
        )
        .into_bytes()
    }

    fn written_as_binary(source: SocketAddr, destination: SocketAddr, more: &[u8]) -> Vec<u8> {
        let mut rest = Vec::new();
        for address in [source, destination] {
            match address.ip() {
                IpAddr::V4(ip) => rest.extend(ip.octets()),
                IpAddr::V6(ip) => rest.extend(ip.octets()),
            }
        }
        rest.extend(source.port().to_be_bytes());
        rest.extend(destination.port().to_be_bytes());
        rest.extend(more);
        let family = if source.is_ipv4() { 0x11 } else { 0x21 };
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0x21, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn headers_are_as_the_protocol_has_them() {
        let client = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for (header, expected) in [
            (
                "PROXY TCP4 192.0.2.1 198.51.100.1 1 65535\r\n",
                client("192.0.2.1"),
            ),
            ("PROXY TCP6 2001:db8::1 ::1 0 2\r\n", client("2001:db8::1")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        ] {
            let (read, rest) = given(&[header.as_bytes(), b"GET /"].concat());
            assert_eq!(read.unwrap(), expected, "{header}");
            assert_eq!(rest, b"GET /", "{header}");
        }
        for malformed in [
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
        ] {
            let (read, _) = given(malformed.as_bytes());
            assert!(matches!(read, Err(NoHeader::Malformed)), "{malformed}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        assert!(matches!(given(long.as_bytes()).0, Err(NoHeader::Malformed)));
        let request = given(b"GET / HTTP/1.1\r\n").0;
        assert!(matches!(request, Err(NoHeader::Absent)));
        assert!(matches!(given(b"PROXY ").0, Err(NoHeader::Ended(_))));
    }

    #[test]
    fn a_balancers_own_connections_name_nobody() {
        for (version, family, rest) in [
            (0x20, 0x11, 12),
            (0x20, 0, 0),
            (0x21, 0, 3),
            (0x21, 0x31, 216),
        ] {
            assert_eq!(binary(version, family, &vec![1; rest]), Some(None));
        }
        for (version, family, rest) in [
            (0x21, 0x31, 215),
            (0x21, 0x11, 11),
            (0x21, 0x21, 35),
            (0x21, 0x12, 12),
            (0x22, 0x11, 12),
            (0x11, 0x11, 12),
        ] {
            assert_eq!(binary(version, family, &vec![1; rest]), None);
        }
        let long = [&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff], &[0; 5_000]].concat();
        assert!(matches!(given(&long).0, Err(NoHeader::Malformed)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_a_balancer_writes_is_read_and_nothing_after_it(
            source in any::<SocketAddr>(),
            more in prop::collection::vec(any::<u8>(), 0..300),
            after in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            let source = SocketAddr::new(source.ip(), source.port());
            for header in [written_as_text(source, source), written_as_binary(source, source, &more)] {
                let (read, rest) = given(&[header, after.clone()].concat());
                prop_assert_eq!(read.unwrap(), Some(source.ip()));
                prop_assert_eq!(&rest, &after);
            }
        }

        #[test]
        fn arbitrary_bytes_are_a_header_or_none(
            begin in prop::sample::select(vec![&b""[..], b"PROXY ", b"PROXY TCP4 ", &SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let bytes = [begin, &bytes].concat();
            let (read, rest) = given(&bytes);
            prop_assert!(bytes.ends_with(&rest));
            if let Ok(Some(_)) = read {
                prop_assert!(bytes.len() - rest.len() >= SIGNATURE.len());
            }
        }
    }
}
