//! The balancers in front of us: whose word counts about where a request came from. Pure.
//!
//! ```text
//!   connection ─▶ a balancer's? ─▶ PROXY header, if they send it ─▶ the client's address
//!   request ─▶ the client is a balancer? ─▶ X-Forwarded-For, X-Forwarded-Proto ─▶ where it came from
//! ```
//!
//! Everybody else's headers count for nothing.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use types::{Net, Origin, Transport};

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Balancers {
    nets: Vec<Net>,
    proxy_protocol: bool,
}

/// Why a text names no balancers.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
#[error("requests.balancers: {0} is neither an address nor a net of addresses like 10.0.0.0/8")]
pub(crate) struct NotANet(String);

impl Balancers {
    /// Those with these addresses. With `proxy_protocol`, each of their connections begins with a header of the PROXY
    /// protocol.
    ///
    /// # Errors
    /// Names what is no address.
    pub(crate) fn new(nets: &[String], proxy_protocol: bool) -> Result<Self, NotANet> {
        let parsed = nets.iter();
        let parsed = parsed.map(|net| Net::parse(net).ok_or_else(|| NotANet(net.clone())));
        Ok(Self {
            nets: parsed.collect::<Result<_, _>>()?,
            proxy_protocol,
        })
    }

    /// Whether an address is a balancer's.
    pub(super) fn have(&self, address: IpAddr) -> bool {
        self.nets.iter().any(|net| net.has(address))
    }

    /// Whether a connection from there has to begin with a header of the PROXY protocol.
    pub(super) fn announce(&self, peer: IpAddr) -> bool {
        self.proxy_protocol && self.have(peer)
    }

    /// Where a request came from that is on a connection of `client`.
    pub(super) fn origin(&self, client: IpAddr, over: Transport, headers: &HeaderMap) -> Origin {
        if !self.have(client) {
            return Origin {
                address: client,
                transport: over,
            };
        }
        Origin {
            address: self.forwarded_for(client, headers),
            transport: forwarded_proto(headers).unwrap_or(over),
        }
    }

    /// The last address of the list that is not a balancer's: each of them has appended the one it was spoken to by, and
    /// what stands before that is the client's own invention. If all are balancers, the first.
    fn forwarded_for(&self, balancer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut last = balancer;
        let lines = headers.get_all(FORWARDED_FOR).iter();
        for line in lines.collect::<Vec<_>>().into_iter().rev() {
            for item in line.as_bytes().rsplit(|byte| *byte == b',') {
                let Some(address) = address(item) else {
                    return last;
                };
                last = address;
                if !self.have(address) {
                    return last;
                }
            }
        }
        last
    }
}

/// An address, with a port or without.
fn address(item: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(item).ok()?.trim();
    let bare = text.parse().or_else(|_| {
        let with_port = text.parse::<SocketAddr>();
        with_port.map(|address| address.ip())
    });
    bare.ok().map(|address| address.to_canonical())
}

/// What the nearest balancer says.
fn forwarded_proto(headers: &HeaderMap) -> Option<Transport> {
    let last = headers.get_all(FORWARDED_PROTO).iter().next_back()?;
    let last = last.to_str().ok()?.rsplit(',').next()?.trim();
    match last {
        _ if last.eq_ignore_ascii_case("https") => Some(Transport::Tls),
        _ if last.eq_ignore_ascii_case("http") => Some(Transport::Plain),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn balancers(nets: &[&str]) -> Balancers {
        let nets: Vec<_> = nets.iter().map(|net| (*net).to_owned()).collect();
        Balancers::new(&nets, true).unwrap()
    }

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn origin(client: &str, given: &[(&'static str, &str)]) -> (String, Transport) {
        let balancers = balancers(&["10.0.0.0/8", "2001:db8::7"]);
        let client = client.parse().unwrap();
        let origin = balancers.origin(client, Transport::Unknown, &headers(given));
        (origin.address.to_string(), origin.transport)
    }

    #[test]
    fn a_balancers_word_counts_and_nobody_elses() {
        let said = [
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
        ];
        let of = |address: &str, transport| (address.to_owned(), transport);
        assert_eq!(origin("10.1.1.1", &said), of("192.0.2.1", Transport::Tls));
        assert_eq!(
            origin("2001:db8::7", &said),
            of("192.0.2.1", Transport::Tls)
        );
        for other in ["11.1.1.1", "2001:db8::8"] {
            assert_eq!(origin(other, &said), of(other, Transport::Unknown));
        }
        assert_eq!(origin("10.1.1.1", &[]), of("10.1.1.1", Transport::Unknown));
    }

    #[test]
    fn a_list_is_read_from_its_end_up_to_who_is_no_balancer() {
        for (lines, expected) in [
            (&["192.0.2.9, 192.0.2.1"][..], "192.0.2.1"),
            (&["192.0.2.9", "192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["192.0.2.1", "10.0.0.2,10.0.0.3"], "192.0.2.1"),
            (&["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
            (&["192.0.2.9, unknown"], "10.1.1.1"),
            (&["192.0.2.9, unknown, 10.0.0.2"], "10.0.0.2"),
            (&[""], "10.1.1.1"),
            (&["192.0.2.1:443"], "192.0.2.1"),
            (&["[2001:db8::1]:443"], "2001:db8::1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
        ] {
            let given: Vec<_> = lines
                .iter()
                .map(|line| ("x-forwarded-for", *line))
                .collect();
            assert_eq!(origin("10.1.1.1", &given).0, expected, "{lines:?}");
        }
    }

    #[test]
    fn the_scheme_is_what_the_nearest_balancer_says() {
        for (said, expected) in [
            ("HTTPS", Transport::Tls),
            ("http", Transport::Plain),
            ("https, http", Transport::Plain),
            ("wss", Transport::Unknown),
        ] {
            assert_eq!(
                origin("10.1.1.1", &[("x-forwarded-proto", said)]).1,
                expected
            );
        }
    }

    #[test]
    fn what_is_no_net_is_named() {
        let refused = Balancers::new(&["10.0.0.0/8".to_owned(), "lb.example".to_owned()], false);
        assert_eq!(refused, Err(NotANet("lb.example".to_owned())));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_a_client_writes_it_is_who_spoke_to_the_balancer(
            invented in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4),
            client in any::<[u8; 3]>(),
            hops in prop::collection::vec(any::<[u8; 3]>(), 0..3),
        ) {
            let client = IpAddr::from([192, client[0], client[1], client[2]]);
            let mut headers = HeaderMap::new();
            for line in &invented {
                if let Ok(value) = HeaderValue::from_bytes(line) {
                    headers.append(FORWARDED_FOR, value);
                }
            }
            let hops = hops.iter().map(|hop| IpAddr::from([10, hop[0], hop[1], hop[2]]));
            let said: Vec<_> = std::iter::once(client).chain(hops).map(|ip| ip.to_string()).collect();
            headers.append(FORWARDED_FOR, said.join(", ").parse().unwrap());
            let origin = balancers(&["10.0.0.0/8"]).origin([10, 0, 0, 1].into(), Transport::Tls, &headers);
            prop_assert_eq!(origin.address, client);
        }
    }
}
