//! Which parts grant rights and which restrict them: whether a template without a part would allow more. Pure.

use crate::template::node::{Entry, Node};

/// Types that give rights, or bound them, by all of their properties together.
const WHOLE: [&str; 3] = [
    "AWS::Lambda::CodeSigningConfig",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Lambda::Permission",
];
/// Properties that only take rights away.
const BOUNDS: [&str; 2] = ["CodeSigningConfigArn", "PermissionsBoundary"];
/// Of a serverless function: without its role, or what that trusts, it would get others.
const OWN_ROLE: [&str; 2] = ["AssumeRolePolicyDocument", "Role"];
/// Policies of a role that are resources of their own; the role stays without them.
const POLICIES: [&str; 3] = [
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::RolePolicy",
];

/// Whether a resource of that type goes when a property of it does.
pub(super) fn are_given_by(kind: &str) -> bool {
    WHOLE.contains(&kind) || kind.starts_with("AWS::IAM::")
}

/// Whether that property only takes rights away.
pub(super) fn are_bounded_by(key: &str) -> bool {
    BOUNDS.contains(&key)
}

/// Whether a function without that property gets another role.
pub(super) fn are_of_own_role(key: &str) -> bool {
    OWN_ROLE.contains(&key)
}

/// Whether a resource takes rights away from a role that stays.
pub(super) fn are_denied_by(kind: &str, resource: &Node) -> bool {
    POLICIES.contains(&kind) && may_deny(resource)
}

/// Whether a statement within does anything but allow.
pub(super) fn may_deny(node: &Node) -> bool {
    let mut items = node.items().unwrap_or_default().iter();
    let mut entries = node.entries().unwrap_or_default().iter();
    items.any(may_deny)
        || entries.any(|Entry { key, value, .. }| {
            (key == "Effect" && value.as_text() != Some("Allow")) || may_deny(value)
        })
}
