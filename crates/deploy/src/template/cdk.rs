//! Removes what the AWS CDK puts into its templates for CloudFormation and for its own statistics, and
//! puts in the code that lies next to them.
//!
//! ```text
//!   cdk.out/Hello.template.json   Code: {S3Bucket: cdk-…-assets-…, S3Key: 43b4….zip}
//!                                 Metadata: {aws:asset:path: asset.43b4…, aws:asset:property: Code}
//!   cdk.out/asset.43b4…/          the code      ─▶  Code: asset.43b4…
//! ```
//!
//! Nobody has uploaded anything to that bucket, so the path is what counts.

use super::node::{Kind, Node};

/// The resource of the CDK's statistics.
const STATISTICS: &str = "AWS::CDK::Metadata";
/// The parameter by which CloudFormation asks whether the account is prepared for the CDK, and the
/// rule that looks at it.
const PREPARED: (&str, &str) = ("BootstrapVersion", "CheckBootstrapVersion");
/// Its type: a value that is kept in another service.
const ELSEWHERE: &str = "AWS::SSM::Parameter::Value<String>";
/// Properties that hold a package.
const PACKAGES: [&str; 2] = ["Code", "Content"];

/// The template as somebody would have written it by hand. One that the CDK has not made stays as
/// it is.
pub(super) fn plain(mut root: Node) -> Node {
    let (parameter, rule) = PREPARED;
    let asks = |node: &Node| node.get("Type").and_then(Node::as_text) == Some(ELSEWHERE);
    let prepared = root.get("Parameters").and_then(|all| all.get(parameter));
    if prepared.is_some_and(asks) {
        within(&mut root, "Parameters", |name, _| name != parameter);
        within(&mut root, "Rules", |name, _| name != rule);
        retain(&mut root, |name, section| {
            name != "Rules" || section.entries() != Some(&[])
        });
    }
    within(&mut root, "Resources", |_, resource| {
        if let Some((property, path)) = asset(resource)
            && let Some(properties) = value_mut(resource, "Properties")
        {
            properties.set(&property, path);
        }
        resource.get("Type").and_then(Node::as_text) != Some(STATISTICS)
    });
    root
}

/// The property that holds a resource's package, and where that is.
fn asset(resource: &Node) -> Option<(String, Node)> {
    let metadata = resource.get("Metadata")?;
    let path = metadata.get("aws:asset:path")?;
    let property = metadata.get("aws:asset:property")?.as_text()?;
    path.as_text()?;
    PACKAGES
        .contains(&property)
        .then(|| (property.to_owned(), path.clone()))
}

fn value_mut<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    let Kind::Map(entries) = &mut node.kind else {
        return None;
    };
    let found = entries.iter_mut().find(|entry| entry.key == key);
    found.map(|entry| &mut entry.value)
}

/// Keeps those entries of a section for which it is so.
fn within(root: &mut Node, section: &str, keep: impl FnMut(&str, &mut Node) -> bool) {
    if let Some(section) = value_mut(root, section) {
        retain(section, keep);
    }
}

fn retain(node: &mut Node, mut keep: impl FnMut(&str, &mut Node) -> bool) {
    if let Kind::Map(entries) = &mut node.kind {
        entries.retain_mut(|entry| keep(&entry.key, &mut entry.value));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Template, yaml};
    use super::*;

    const MADE: &str = "
Parameters:
  BootstrapVersion: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /cdk-bootstrap/x/version}
  Word: {Type: String}
Rules:
  CheckBootstrapVersion: {Assertions: []}
Resources:
  F:
    Type: AWS::Lambda::Function
    Properties:
      Code: {S3Bucket: b, S3Key: k}
      Handler: index.handler
    Metadata: {'aws:asset:path': asset.43b4, 'aws:asset:property': Code}
  CDKMetadata:
    Type: AWS::CDK::Metadata
    Properties: {Analytics: 'v2:deflate64:H4s'}
";

    #[test]
    fn a_template_of_the_cdk_is_as_one_written_by_hand() {
        let template = Template::parse(MADE).unwrap();
        let names: Vec<_> = template.resources.iter().map(|it| &it.name).collect();
        assert_eq!(names, ["F"]);
        assert_eq!(template.parameters.len(), 1);
        let code = template.resources[0].properties.get("Code");
        assert_eq!(code.and_then(Node::as_text), Some("asset.43b4"));
    }

    #[test]
    fn rules_of_ones_own_are_still_refused() {
        let text = MADE.replace("CheckBootstrapVersion", "Mine");
        let error = Template::parse(&text).unwrap_err();
        assert!(
            error.message.starts_with("Rules is not a section"),
            "{error}"
        );
    }

    #[test]
    fn what_the_cdk_has_not_made_stays_as_it_is() {
        for text in [
            "Rules: {CheckBootstrapVersion: 1}\nParameters: {BootstrapVersion: {Type: String}}",
            "Resources: {A: {Metadata: {'aws:asset:path': x, 'aws:asset:property': Role}, Properties: {Role: r}}}",
            "Resources: {A: {Metadata: {'aws:asset:path': [x], 'aws:asset:property': Code}, Properties: {}}}",
            "Resources: {A: {Metadata: {'aws:asset:path': x, 'aws:asset:property': Code}, Properties: 1}}",
            "Resources: [1]",
            "Parameters: 1",
            "1",
        ] {
            let node = yaml::parse(text).unwrap();
            assert_eq!(plain(node.clone()), node, "{text}");
        }
    }
}
