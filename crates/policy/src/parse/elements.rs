//! Single entries of `Action`, `Resource` and `Principal`. One that could never mean what it says is
//! refused: in a denial it would deny nothing.

use serde_json::Value;

use super::{Form, Malformed, malformed, syntax, texts};
use crate::glob::Pattern;
use crate::principal::Principal;

/// The one partition that ARNs of an installation have.
const PARTITION: &str = "aws";

/// An action, or several by wildcards. Variables mean nothing in there.
pub(super) fn parse_action(text: &str, form: Form) -> Result<Pattern, Malformed> {
    if text != "*" {
        let Some((vendor, name)) = text.split_once(':') else {
            return malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            );
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-*?".contains(&byte);
        if vendor.is_empty() || name.is_empty() || !vendor.bytes().all(plain) {
            return malformed(format!("Vendor {vendor} is not valid"));
        }
        if form == Form::Trust && !vendor.eq_ignore_ascii_case("sts") {
            return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"*?-_".contains(&byte);
        if !name.bytes().all(plain) {
            return syntax();
        }
    }
    pattern(text, false)
}

/// `*`, or an ARN of six parts. A star that ends its part may stand for more of them, so that nothing is
/// known of those after it.
pub(super) fn parse_resource(text: &str, variables: bool) -> Result<Pattern, Malformed> {
    let pattern = pattern(text, variables)?;
    if text == "*" {
        return Ok(pattern);
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let known = parts.iter().position(|part| part.ends_with('*'));
    if parts[0] != "arn" || (parts.len() < 6 && known.is_none()) {
        return no_arn(text);
    }
    let is_open = |part: &&str| part.contains(['*', '?', '$']);
    let known = &parts[..known.unwrap_or(parts.len())];
    let said = |at: usize| known.get(at).copied().filter(|part| !is_open(part));
    if let Some(partition) = said(1).filter(|partition| *partition != PARTITION) {
        return malformed(format!(
            "Partition \"{partition}\" is not valid for resource \"{text}\"."
        ));
    }
    if said(2).is_some_and(str::is_empty) {
        return malformed(format!("Vendor \"\" is not valid for resource \"{text}\"."));
    }
    if said(2) == Some("iam") && said(3).is_some_and(|region| !region.is_empty()) {
        return malformed(format!(
            "IAM resource {text} cannot contain region information."
        ));
    }
    let is_account = |part: &str| {
        let is_number = part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.is_empty() || part == "aws" || is_number
    };
    match said(4).is_none_or(is_account) {
        true => Ok(pattern),
        false => no_arn(text),
    }
}

fn no_arn<T>(text: &str) -> Result<T, Malformed> {
    malformed(format!("Resource {text} must be in ARN format or \"*\"."))
}

fn pattern(text: &str, variables: bool) -> Result<Pattern, Malformed> {
    Pattern::parse(text, variables).or_else(|_| syntax())
}

/// `"*"`, or lists by kind.
pub(super) fn parse_principals(value: &Value) -> Result<Vec<Principal>, Malformed> {
    const INVALID: &str = "Invalid principal in policy";
    let kinds = match value {
        Value::String(text) if text == "*" => return Ok(vec![Principal::Anyone]),
        Value::Object(kinds) if !kinds.is_empty() => kinds,
        _ => return malformed(INVALID),
    };
    let mut principals = Vec::new();
    for (kind, value) in kinds {
        let named = texts(value)?;
        if named.is_empty() {
            return malformed(INVALID);
        }
        for text in named {
            let read = match kind.as_str() {
                "AWS" => Principal::aws(text),
                "Service" => is_service(text).then(|| Principal::Service(text.to_owned())),
                "Federated" if !text.is_empty() => Some(Principal::Federated),
                _ => None,
            };
            let Some(read) = read else {
                return malformed(format!("{INVALID}: \"{kind}\":\"{text}\""));
            };
            principals.push(read);
        }
    }
    Ok(principals)
}

/// `s3.amazonaws.com`, `logs.eu-west-1.amazonaws.com`, `*.amazonaws.com.cn` never.
fn is_service(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    text.contains('.') && text.bytes().all(plain)
}
