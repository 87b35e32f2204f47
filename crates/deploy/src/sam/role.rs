//! The role that SAM makes for a function that names none.

use super::{companion, policies};
use crate::template::node::{Entry, Node};
use crate::template::{Declared, Error};

const BASIC: &str = "AWSLambdaBasicExecutionRole";

/// What a function says about its role.
#[derive(Default)]
pub(super) struct Wanted<'n> {
    pub(super) policies: Option<&'n Node>,
    pub(super) trust: Option<&'n Node>,
    pub(super) path: Option<&'n Node>,
    /// Policies of AWS's own that its events need.
    pub(super) needed: Vec<&'static str>,
    /// Policies for the destinations of its events' outcomes.
    pub(super) outcomes: Vec<Node>,
}

/// The role.
pub(super) fn make(owner: &Declared, wanted: &Wanted<'_>) -> Result<Declared, Error> {
    let line = owner.line;
    let mut managed = vec![service_role(line, BASIC)];
    let mut needed = wanted.needed.clone();
    needed.dedup();
    managed.extend(needed.into_iter().map(|name| service_role(line, name)));
    let mut inline = wanted.outcomes.clone();
    if let Some(node) = wanted.policies {
        let single = std::slice::from_ref(node);
        // One policy may stand without a list around it.
        let items = node.items().unwrap_or(single);
        for (number, item) in items.iter().enumerate() {
            policy(owner, number, item, &mut managed, &mut inline)?;
        }
    }
    let trust = wanted.trust.cloned().unwrap_or_else(|| lambda_may(line));
    let mut properties = Node::map(
        line,
        [
            ("AssumeRolePolicyDocument", trust),
            ("ManagedPolicyArns", Node::list(line, managed)),
        ],
    );
    if !inline.is_empty() {
        properties.set("Policies", Node::list(line, inline));
    }
    if let Some(path) = wanted.path {
        properties.set("Path", path.clone());
    }
    let name = format!("{}Role", owner.name);
    Ok(companion(owner, name, "AWS::IAM::Role", properties))
}

/// One of `Policies`: a name, an ARN, a document, or one of SAM's templates.
fn policy(
    owner: &Declared,
    number: usize,
    item: &Node,
    managed: &mut Vec<Node>,
    inline: &mut Vec<Node>,
) -> Result<(), Error> {
    let line = item.line;
    if let Some(name) = item.as_text() {
        managed.push(match name {
            _ if name.starts_with("arn:") => item.clone(),
            _ if name.starts_with("AWSLambda") && name.ends_with("ExecutionRole") => {
                service_role(line, name)
            }
            "AWSLambdaRole" => service_role(line, name),
            _ => Node::substitute(
                line,
                format!("arn:${{AWS::Partition}}:iam::aws:policy/{name}"),
            ),
        });
        return Ok(());
    }
    if item.call().is_some() {
        managed.push(item.clone());
        return Ok(());
    }
    let document = match item.expect_map("a policy")? {
        _ if item.get("Statement").is_some() => item.clone(),
        [Entry { key, value, .. }] => policies::document(key, value, line)?,
        _ => return Err(item.error(
            "a policy is a name, a document with a Statement, or one template with its parameters",
        )),
    };
    let name = Node::text(line, format!("{}RolePolicy{number}", owner.name));
    inline.push(Node::map(
        line,
        [("PolicyName", name), ("PolicyDocument", document)],
    ));
    Ok(())
}

fn service_role(line: usize, name: &str) -> Node {
    Node::substitute(
        line,
        format!("arn:${{AWS::Partition}}:iam::aws:policy/service-role/{name}"),
    )
}

/// The trust policy by which functions get a role.
fn lambda_may(line: usize) -> Node {
    let text = |value: &str| Node::text(line, value);
    let statement = Node::map(
        line,
        [
            ("Effect", text("Allow")),
            (
                "Principal",
                Node::map(line, [("Service", text("lambda.amazonaws.com"))]),
            ),
            ("Action", text("sts:AssumeRole")),
        ],
    );
    Node::map(
        line,
        [
            ("Version", text("2012-10-17")),
            ("Statement", Node::list(line, vec![statement])),
        ],
    )
}
