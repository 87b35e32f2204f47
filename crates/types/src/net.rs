//! Nets of addresses, as operators and policies write them.

use std::net::IpAddr;

/// Addresses that begin alike: `10.0.0.0/8`, or one alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Net {
    base: IpAddr,
    bits: u32,
}

impl Net {
    /// `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let (base, bits) = match text.split_once('/') {
            None => (text, None),
            Some((base, bits)) => {
                let plain = bits.bytes().all(|byte| byte.is_ascii_digit());
                (base, Some(bits.parse().ok().filter(|_| plain)?))
            }
        };
        let base: IpAddr = base.parse().ok()?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return None;
        }
        // IPv4 addresses written as IPv6 ones: requests' are not.
        Some(match base.to_canonical() {
            base @ IpAddr::V4(_) if width == 128 && bits >= 96 => Self {
                base,
                bits: bits - 96,
            },
            _ => Self { base, bits },
        })
    }

    /// Whether an address is one of them.
    pub fn has(self, address: IpAddr) -> bool {
        // An IPv4 address may have come over an IPv6 socket.
        match (address.to_canonical(), self.base) {
            (IpAddr::V4(address), IpAddr::V4(base)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                (address.to_bits() ^ base.to_bits()) & mask == 0
            }
            (address, IpAddr::V6(base)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                let address = match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                (address.to_bits() ^ base.to_bits()) & mask == 0
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        for (net, address, expected) in [
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::/0", "10.1.2.3", true),
            ("::ffff:0:0/95", "10.1.2.3", true),
            ("2001:db8::/32", "10.1.2.3", false),
            ("0.0.0.0/0", "2001:db8::1", false),
        ] {
            let net = Net::parse(net).unwrap();
            assert_eq!(
                net.has(address.parse().unwrap()),
                expected,
                "{net:?} {address}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn an_address_is_within_every_net_made_of_it(bits in any::<u32>(), length in 0_u32..=32) {
            let address = std::net::Ipv4Addr::from_bits(bits);
            let base = std::net::Ipv4Addr::from_bits(bits & u32::MAX.checked_shl(32 - length).unwrap_or(0));
            let net = Net::parse(&format!("{base}/{length}")).unwrap();
            prop_assert!(net.has(address.into()));
        }
    }
}
