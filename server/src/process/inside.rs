//! What functions see of Lambent itself, where `[functions] api` is on: its API, on their loopback.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where the API is inside of every sandbox, on the loopback: the port it has by default outside.
pub(super) const PORT: u16 = 9_100;
/// Where functions are answered that run in this very process: an address of their own, since they speak plain HTTP
/// wherever clients speak TLS, and since nothing they say is a balancer's.
pub(super) const OWN: &str = "127.0.0.1:0";
/// The variables by which SDKs and the AWS CLI find the services that Lambent provides; all others keep
/// their endpoints.
const VARIABLES: [&str; 4] = [
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
];

/// The variables that functions get, unless the operator or the function itself sets them.
pub(super) fn variables() -> BTreeMap<String, String> {
    let url = format!("http://127.0.0.1:{PORT}");
    VARIABLES.map(|name| (name.to_owned(), url.clone())).into()
}

/// How the worker reaches an API that listens at `address`.
pub(super) fn reached_at(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        given => given,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_that_listens_everywhere_is_reached_on_the_loopback() {
        let at = |text: &str| reached_at(text.parse().unwrap()).to_string();
        assert_eq!(at("0.0.0.0:9100"), "127.0.0.1:9100");
        assert_eq!(at("[::]:9100"), "[::1]:9100");
        assert_eq!(at("10.0.0.1:80"), "10.0.0.1:80");
    }
}
