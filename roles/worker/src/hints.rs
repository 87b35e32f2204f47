//! Hints at failures that Lambent's setup may have caused: a line in the function's log. On
//! AWS these failures have other reasons, or do not come, so nothing that people find about them helps. Pure.
//!
//! Only the error object of a failed invoke or init is read: a function that succeeds pays nothing.

/// Bytes of an error object that are read: its message comes first, and its trace has the cause.
const BYTES_MAX: usize = 4 * 1024;

/// What errors say where nothing can be reached, in the words of the languages' own libraries.
const UNREACHED: [&str; 15] = [
    "network is unreachable",
    "enetunreach",
    "ehostunreach",
    "no route to host",
    "temporary failure in name resolution",
    "name or service not known",
    "eai_again",
    "enotfound",
    "unknownhostexception",
    "no such host",
    "connection refused",
    "econnrefused",
    "could not connect to the endpoint url",
    "failed to establish a new connection",
    "unable to connect to the remote server",
];
/// How the machine's own and private networks begin.
const NEAR: [&str; 9] = [
    "127.0.0.1",
    "localhost",
    "::1",
    "10.",
    "192.168.",
    "172.1",
    "172.2",
    "172.3",
    "169.254.",
];
/// A module of that language was not found: what the runtime says, up to the module's name.
const MISSING: [&str; 4] = [
    "no module named 'boto3",
    "no module named 'botocore",
    "cannot find package '@aws-sdk/",
    "cannot find module '@aws-sdk/",
];
/// The same for what AWS's own runtimes do not have either.
const NOWHERE: [&str; 4] = [
    "cannot find package 'aws-sdk'",
    "cannot find module 'aws-sdk",
    "software/amazon/awssdk/",
    "com/amazonaws/services/",
];

/// The line that an error object is given, if something of Lambent's set-up may be behind it. `way_out` says
/// whether functions reach anything beyond their sandboxes.
pub(crate) fn hint(error: &[u8], way_out: bool) -> Option<&'static str> {
    let head = error.get(..BYTES_MAX).unwrap_or(error);
    let text = String::from_utf8_lossy(head).to_lowercase();
    let has = |any: &[&str]| any.iter().any(|part| text.contains(part));
    if has(&MISSING) {
        return Some(
            "Lambent: the AWS SDK is not among this server's runtimes. `make build` fetches it where the package \
             registries can be reached; until then the package or a layer has to bring it.",
        );
    }
    if has(&NOWHERE) {
        return Some(
            "Lambent: neither here nor on AWS has this runtime that AWS SDK: the package or a layer has to bring it.",
        );
    }
    if !has(&UNREACHED) {
        return None;
    }
    match way_out {
        false => Some(
            "Lambent: functions of this server have no network ([sandbox] network = \"none\"), and 127.0.0.1 is the \
             function's own. `network = \"nat\"` lets them out, `[functions] api = true` lets them call Lambent.",
        ),
        true if has(&NEAR) => Some(
            "Lambent: 127.0.0.1 is the function's own, and it reaches private networks and ports of this machine only \
             where [sandbox.nat] allow_private and allow_host_ports let it.",
        ),
        true => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str, way_out: bool) -> &'static str {
        let body = serde_json::json!({"errorType": "Error", "errorMessage": message});
        hint(body.to_string().as_bytes(), way_out).unwrap_or_default()
    }

    #[test]
    fn what_cannot_be_reached_without_a_network_names_the_setting() {
        for message in [
            "<urlopen error [Errno 101] Network is unreachable>",
            "<urlopen error [Errno -3] Temporary failure in name resolution>",
            "connect ECONNREFUSED 127.0.0.1:4566",
            "getaddrinfo EAI_AGAIN example.com",
            "java.net.UnknownHostException: example.com",
            "Could not connect to the endpoint URL: \"https://sqs.us-east-1.amazonaws.com/\"",
            "dial tcp: lookup example.com: no such host",
        ] {
            assert!(
                of(message, false).contains("[sandbox] network"),
                "{message}"
            );
        }
    }

    #[test]
    fn with_a_network_only_what_is_near_is_explained() {
        assert!(of("connect ECONNREFUSED 127.0.0.1:5432", true).contains("allow_private"));
        assert_eq!(of("connect ECONNREFUSED 93.184.215.14:80", true), "");
    }

    #[test]
    fn a_missing_sdk_is_told_from_one_that_aws_has_not_either() {
        let missing = "Unable to import module 'index': No module named 'boto3'";
        assert!(of(missing, false).contains("make build"));
        let missing = "Cannot find package '@aws-sdk/client-s3' imported from /var/task/index.mjs";
        assert!(of(missing, true).contains("make build"));
        let old = "Cannot find module 'aws-sdk'\nRequire stack:";
        assert!(of(old, true).contains("nor on AWS"));
    }

    #[test]
    fn other_failures_are_nobodys_but_the_functions() {
        for message in ["No module named 'requests'", "division by zero", ""] {
            assert_eq!(of(message, false), "");
        }
    }
}
