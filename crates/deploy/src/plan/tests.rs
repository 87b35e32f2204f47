//! Plans, from what is there and what is wanted.

use std::collections::BTreeMap;

use super::{Action, Plan, plan};
use crate::desired::{Desired, Identity};
use crate::record::{Record, Recorded};
use crate::template::Template;

fn desired(resources: &str) -> Desired {
    let identity = Identity {
        stack: "demo".to_owned(),
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    };
    let template = Template::parse(&format!("Resources:\n{resources}")).unwrap();
    Desired::of(&template, &BTreeMap::new(), &identity).unwrap()
}

fn planned(resources: &str, record: &Record) -> Result<Plan, String> {
    plan(&desired(resources), record, &mut |_, _| Ok(())).map_err(|error| error.to_string())
}

/// A record of what those resources come to, with an id each.
fn recorded(resources: &str) -> Record {
    let mut record = Record::default();
    let desired = desired(resources);
    for wanted in &desired.resources {
        let outcome = desired.evaluate(&wanted.properties, &record).unwrap();
        let it = Recorded {
            kind: wanted.kind,
            name: wanted.name.clone(),
            generation: 0,
            id: format!("id-of-{}", wanted.name),
            attributes: BTreeMap::new(),
            properties: outcome.value.unwrap().as_object().unwrap().clone(),
            depends_on: wanted.depends_on.iter().cloned().collect(),
            retain: wanted.retain,
            made: true,
            resumed: false,
        };
        record.resources.insert(wanted.name.clone(), it);
    }
    record
}

const TWO: &str = "
  L: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 3}}
  M: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub 'after-${L}'}}
";

#[test]
fn nothing_is_done_where_nothing_differs() {
    assert!(planned(TWO, &recorded(TWO)).unwrap().is_empty());
}

#[test]
fn each_difference_has_its_step() {
    let made = planned(TWO, &Record::default()).unwrap();
    assert!(made.steps.iter().all(|step| step.action == Action::Create));
    let changed = planned(&TWO.replace("3}", "5}"), &recorded(TWO)).unwrap();
    let update = Action::Update(vec!["RetentionInDays".to_owned()]);
    assert_eq!(changed.steps[0].action, update);
    assert_eq!(changed.steps[1].action, Action::Keep);
    let named = planned(&TWO.replace("after-", "now-"), &recorded(TWO)).unwrap();
    let replace = Action::Replace(vec!["LogGroupName".to_owned()]);
    assert_eq!(named.steps[1].action, replace);
    let first = TWO.lines().take(2).collect::<Vec<_>>().join("\n");
    let fewer = planned(&first, &recorded(TWO)).unwrap();
    assert_eq!(fewer.deletions[0].name, "M");
}

#[test]
fn what_a_killed_deploy_began_is_made_anew() {
    let mut record = recorded(TWO);
    record.resources.get_mut("L").unwrap().made = false;
    let plan = planned(TWO, &record).unwrap();
    assert_eq!(plan.steps[0].action, Action::Create);
    assert!(plan.steps[1].uncertain);
}

#[test]
fn two_cannot_have_one_name() {
    let role = "  R: {Type: AWS::IAM::Role, Properties: {RoleName: r, Path: /a/, AssumeRolePolicyDocument: {}}}";
    let refusal = planned(&role.replace("/a/", "/b/"), &recorded(role)).unwrap_err();
    assert!(refusal.contains("two cannot have one name"), "{refusal}");
}
