//! `AWS::Serverless::Function`: a function with all that comes with it.

use super::role::{self, Wanted};
use super::{Expanded, companion, events, location, outcomes, unknown};
use crate::resource::{CODE, EVERYTHING, PUBLISH_AGAIN};
use crate::template::node::{Entry, Kind, Node};
use crate::template::{Declared, Error};

/// Properties that Lambda's own type has under the same name.
const SAME: [&str; 21] = [
    "Architectures",
    "CodeSigningConfigArn",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "Handler",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "Tags",
    "Timeout",
];

/// Properties of `FunctionUrlConfig`.
pub(crate) const URL: [&str; 3] = ["AuthType", "Cors", "InvokeMode"];
/// Properties of `EventInvokeConfig`.
pub(crate) const INVOKES: [&str; 3] = [
    "DestinationConfig",
    "MaximumEventAgeInSeconds",
    "MaximumRetryAttempts",
];

/// Whether there is a property of that name.
pub(crate) fn knows(key: &str) -> bool {
    let nothing = Node {
        line: 0,
        kind: Kind::Null,
    };
    let entry = Entry {
        key: key.to_owned(),
        line: 0,
        value: nothing.clone(),
    };
    // A property that has to be more than nothing is one as well.
    let is_own = own(&entry, &mut nothing.clone()).unwrap_or(true);
    is_own || Companions::default().take(&entry).unwrap_or(true)
}

/// What is not a property of the function itself.
#[derive(Default)]
struct Companions<'n> {
    role: Wanted<'n>,
    events: Option<&'n Node>,
    url: Option<&'n Node>,
    invokes: Option<&'n Node>,
    alias: Option<&'n Node>,
    all_properties: bool,
    code_hash: Option<&'n Node>,
    version_description: Option<&'n Node>,
    delete_versions: bool,
    provisioned: Option<&'n Node>,
}

/// Writes one out.
pub(super) fn expand(declared: &Declared, expanded: &mut Expanded) -> Result<(), Error> {
    let line = declared.line;
    let mut properties = Node::map(line, Vec::<(String, Node)>::new());
    let mut companions = Companions::default();
    for entry in declared.properties.expect_map("Properties")? {
        if !own(entry, &mut properties)? && !companions.take(entry)? {
            return Err(unknown(declared, entry.line, &entry.key));
        }
    }
    if properties.get("Code").is_none() {
        return Err(declared.properties.error(format!(
            "{} has neither CodeUri nor InlineCode",
            declared.name
        )));
    }
    let (version, alias) = published(declared, &companions)?;
    let target = match &alias {
        Some(alias) => Node::reference(line, &alias.name),
        None => Node::reference(line, &declared.name),
    };
    let mut mappings = Vec::new();
    let mut needed = Vec::new();
    if let Some(all) = companions.events {
        for entry in all.expect_map("Events")? {
            let event = events::expand(declared, entry, &target)?;
            needed.extend(event.policy);
            mappings.push(event.mapping);
        }
    }
    needed.sort_unstable();
    if properties.get("Role").is_none() {
        let wanted = Wanted {
            needed,
            outcomes: outcomes::policies(declared)?,
            ..companions.role
        };
        let role = role::make(declared, &wanted)?;
        properties.set("Role", Node::attribute(line, &role.name, "Arn"));
        expanded.resources.push(role);
    }
    let function = Declared {
        type_name: "AWS::Lambda::Function".to_owned(),
        properties,
        ..declared.clone()
    };
    expanded.resources.push(function);
    for (made, suffix) in [(&version, "Version"), (&alias, "Alias")] {
        if let Some(made) = made {
            let other = format!("{}.{suffix}", declared.name);
            expanded.renames.insert(other, made.name.clone());
        }
    }
    if let Some(node) = companions.url {
        url(declared, node, &companions, alias.as_ref(), expanded)?;
    }
    if let Some(node) = companions.invokes {
        expanded
            .resources
            .push(invokes(declared, node, alias.as_ref())?);
    }
    expanded.resources.extend(version);
    expanded.resources.extend(alias);
    expanded.resources.extend(mappings);
    Ok(())
}

/// A property of the function itself; `false` if it is none.
fn own(entry: &Entry, properties: &mut Node) -> Result<bool, Error> {
    let Entry { key, line, value } = entry;
    match key.as_str() {
        "CodeUri" => properties.set("Code", location(value)),
        "InlineCode" => {
            properties.set("Code", Node::map(*line, [("ZipFile", value.clone())]));
        }
        "Tracing" => {
            let mode = Node::map(*line, [("Mode", value.clone())]);
            properties.set("TracingConfig", mode);
        }
        "VpcConfig" => properties.set(key, value.clone()),
        "DeadLetterQueue" => {
            value.expect_map(key)?;
            let target = value.get("TargetArn");
            let target = target.ok_or_else(|| value.error("DeadLetterQueue has no TargetArn"))?;
            let config = Node::map(*line, [("TargetArn", target.clone())]);
            properties.set("DeadLetterConfig", config);
        }
        key if SAME.contains(&key) => properties.set(key, value.clone()),
        _ => return Ok(false),
    }
    Ok(true)
}

impl<'n> Companions<'n> {
    fn take(&mut self, entry: &'n Entry) -> Result<bool, Error> {
        let value = &entry.value;
        match entry.key.as_str() {
            "Policies" => self.role.policies = Some(value),
            "AssumeRolePolicyDocument" => self.role.trust = Some(value),
            "RolePath" => self.role.path = Some(value),
            "Events" => self.events = Some(value),
            "FunctionUrlConfig" => self.url = Some(value),
            "EventInvokeConfig" => self.invokes = Some(value),
            "AutoPublishAlias" => self.alias = Some(value),
            "AutoPublishAliasAllProperties" => {
                self.all_properties = value.scalar().as_deref() == Some("true");
            }
            "AutoPublishCodeSha256" => self.code_hash = Some(value),
            "VersionDescription" => self.version_description = Some(value),
            "VersionDeletionPolicy" => {
                self.delete_versions = value.expect_text("VersionDeletionPolicy")? == "Delete";
            }
            "ProvisionedConcurrencyConfig" => self.provisioned = Some(value),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `AutoPublishAlias`: a version for each change of the code, and the alias that points at it.
fn published(
    declared: &Declared,
    companions: &Companions<'_>,
) -> Result<(Option<Declared>, Option<Declared>), Error> {
    let Some(alias_name) = companions.alias else {
        if let Some(node) = companions.provisioned {
            return Err(node.error("ProvisionedConcurrencyConfig needs AutoPublishAlias"));
        }
        return Ok((None, None));
    };
    let (line, name) = (declared.line, declared.name.as_str());
    let function = Node::reference(line, name);
    let changes = match (companions.code_hash, companions.all_properties) {
        (Some(hash), _) => hash.clone(),
        (None, true) => Node::attribute(line, name, EVERYTHING),
        (None, false) => Node::attribute(line, name, CODE),
    };
    let mut properties = Node::map(
        line,
        [("FunctionName", function.clone()), (PUBLISH_AGAIN, changes)],
    );
    if let Some(description) = companions.version_description {
        properties.set("Description", description.clone());
    }
    let mut version = companion(
        declared,
        format!("{name}Version"),
        "AWS::Lambda::Version",
        properties,
    );
    version.retain = !companions.delete_versions;
    version.retain_replaced = !companions.delete_versions;
    // SAM's name for it has the alias's own, where that is written out.
    let text = alias_name.as_text().unwrap_or_default();
    let suffix: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut properties = Node::map(
        line,
        [
            ("FunctionName", function),
            (
                "FunctionVersion",
                Node::attribute(line, &version.name, "Version"),
            ),
            ("Name", alias_name.clone()),
        ],
    );
    if let Some(node) = companions.provisioned {
        properties.set("ProvisionedConcurrencyConfig", node.clone());
    }
    let alias = companion(
        declared,
        format!("{name}Alias{suffix}"),
        "AWS::Lambda::Alias",
        properties,
    );
    Ok((Some(version), Some(alias)))
}

/// `FunctionUrlConfig`: the URL, and for one without signatures the statements that let all in.
fn url(
    declared: &Declared,
    node: &Node,
    companions: &Companions<'_>,
    alias: Option<&Declared>,
    expanded: &mut Expanded,
) -> Result<(), Error> {
    let (line, name) = (declared.line, declared.name.as_str());
    let mut properties = Node::map(line, [("TargetFunctionArn", Node::reference(line, name))]);
    for Entry { key, line, value } in node.expect_map("FunctionUrlConfig")? {
        match key.as_str() {
            key if URL.contains(&key) => properties.set(key, value.clone()),
            _ => {
                return Err(unknown(
                    declared,
                    *line,
                    &format!("FunctionUrlConfig.{key}"),
                ));
            }
        }
    }
    let mut made = companion(
        declared,
        format!("{name}Url"),
        "AWS::Lambda::Url",
        properties,
    );
    let target = match (alias, companions.alias) {
        (Some(alias), Some(text)) => {
            made.properties.set("Qualifier", text.clone());
            made.depends_on.push(alias.name.clone());
            Node::reference(line, &alias.name)
        }
        _ => Node::attribute(line, name, "Arn"),
    };
    let open = made.properties.get("AuthType").and_then(Node::as_text) == Some("NONE");
    expanded.resources.push(made);
    if !open {
        return Ok(());
    }
    let text = |value: &str| Node::text(line, value);
    let statements = [
        (
            "UrlPublicPermissions",
            "lambda:InvokeFunctionUrl",
            ("FunctionUrlAuthType", text("NONE")),
        ),
        (
            "URLInvokeAllowPublicAccess",
            "lambda:InvokeFunction",
            (
                "InvokedViaFunctionUrl",
                Node {
                    line,
                    kind: Kind::Bool(true),
                },
            ),
        ),
    ];
    for (suffix, action, condition) in statements {
        let properties = Node::map(
            line,
            [
                ("Action", text(action)),
                ("FunctionName", target.clone()),
                ("Principal", text("*")),
                condition,
            ],
        );
        let name = format!("{name}{suffix}");
        let permission = companion(declared, name, "AWS::Lambda::Permission", properties);
        expanded.resources.push(permission);
    }
    Ok(())
}

/// `EventInvokeConfig`.
fn invokes(declared: &Declared, node: &Node, alias: Option<&Declared>) -> Result<Declared, Error> {
    let (line, name) = (declared.line, declared.name.as_str());
    let qualifier = match alias.and_then(|alias| alias.properties.get("Name")) {
        Some(name) => name.clone(),
        None => Node::text(line, "$LATEST"),
    };
    let mut properties = Node::map(
        line,
        [
            ("FunctionName", Node::reference(line, name)),
            ("Qualifier", qualifier),
        ],
    );
    for Entry { key, line, value } in node.expect_map("EventInvokeConfig")? {
        match key.as_str() {
            "DestinationConfig" => properties.set(key, destinations(value)?),
            key if INVOKES.contains(&key) => properties.set(key, value.clone()),
            _ => {
                return Err(unknown(
                    declared,
                    *line,
                    &format!("EventInvokeConfig.{key}"),
                ));
            }
        }
    }
    let mut made = companion(
        declared,
        format!("{name}EventInvokeConfig"),
        "AWS::Lambda::EventInvokeConfig",
        properties,
    );
    made.depends_on
        .extend(alias.map(|alias| alias.name.clone()));
    Ok(made)
}

/// SAM's destinations have a type as well as the ARN, and the ARN can be left out: then SAM would create
/// the queue, which is not supported here.
fn destinations(node: &Node) -> Result<Node, Error> {
    let mut out = Vec::new();
    for Entry { key, value, .. } in node.expect_map("DestinationConfig")? {
        value.expect_map(key)?;
        let destination = value.get("Destination");
        let destination = destination
            .ok_or_else(|| value.error(format!("{key} needs its Destination, an ARN")))?;
        let config = Node::map(value.line, [("Destination", destination.clone())]);
        out.push((key.clone(), config));
    }
    Ok(Node::map(node.line, out))
}
