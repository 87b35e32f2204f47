//! `DeadLetterQueue` and the destinations of `EventInvokeConfig`: what the role that SAM makes for a
//! function has to be allowed for them. A role that the template names has its rights from there.

use crate::template::node::{Entry, Node};
use crate::template::{Declared, Error};

/// Destinations of outcomes: SAM's `Type`, and the action that sends to it.
const KINDS: [(&str, &str); 5] = [
    ("SQS", "sqs:SendMessage"),
    ("SNS", "sns:Publish"),
    ("Lambda", "lambda:InvokeFunction"),
    ("EventBridge", "events:PutEvents"),
    ("S3", "s3:PutObject"),
];
/// How many of them can be a `DeadLetterQueue`.
const LETTERS: usize = 2;

/// The policies, for the role's `Policies`.
pub(super) fn policies(declared: &Declared) -> Result<Vec<Node>, Error> {
    let name = declared.name.as_str();
    let mut made = Vec::new();
    if let Some(letters) = declared.properties.get("DeadLetterQueue") {
        let kinds = &KINDS[..LETTERS];
        let told = ("DeadLetterQueue", letters, "TargetArn");
        made.extend(policy("DeadLetterQueuePolicy".to_owned(), told, kinds)?);
    }
    let invokes = declared.properties.get("EventInvokeConfig");
    let destinations = invokes.and_then(|config| config.get("DestinationConfig"));
    for Entry { key, value, .. } in destinations.and_then(Node::entries).unwrap_or_default() {
        let told = (key.as_str(), value, "Destination");
        made.extend(policy(format!("{name}{key}Policy"), told, &KINDS)?);
    }
    Ok(made)
}

/// The policy for one; none if its ARN is missing, which is refused where the ARN is used.
fn policy(
    name: String,
    (what, value, arn): (&str, &Node, &str),
    kinds: &[(&str, &str)],
) -> Result<Option<Node>, Error> {
    let Some(arn) = value.get(arn) else {
        return Ok(None);
    };
    let line = value.line;
    let text = |text: &str| Node::text(line, text);
    let kind = value.get("Type").and_then(Node::as_text);
    let found = kinds.iter().find(|(known, _)| kind == Some(known));
    let (kind, action) = found.ok_or_else(|| {
        let known: Vec<&str> = kinds.iter().map(|(known, _)| *known).collect();
        value.error(format!("{what} needs a Type, one of {}", known.join(", ")))
    })?;
    let resource = match *kind {
        "S3" => {
            let objects = Node::list(line, vec![arn.clone(), text("/*")]);
            let join = Node::list(line, vec![text(""), objects]);
            Node::map(line, [("Fn::Join", join)])
        }
        _ => arn.clone(),
    };
    let statement = Node::map(
        line,
        [
            ("Effect", text("Allow")),
            ("Action", text(action)),
            ("Resource", resource),
        ],
    );
    let document = Node::map(
        line,
        [
            ("Version", text("2012-10-17")),
            ("Statement", Node::list(line, vec![statement])),
        ],
    );
    let members = [
        ("PolicyName", Node::text(line, name)),
        ("PolicyDocument", document),
    ];
    Ok(Some(Node::map(line, members)))
}
