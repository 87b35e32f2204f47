//! Plans, from current and desired states.

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
            unsure: Default::default(),
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
    assert_eq!(plan.begun[0].name, "L");
    assert_eq!(plan.steps[0].action, Action::Create);
    assert!(plan.steps[1].uncertain);
    // Also where it is not wanted any more.
    let second = "  M: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: after-id-of-L}}";
    let plan = planned(second, &record).unwrap();
    assert_eq!((plan.begun.len(), plan.deletions.len()), (1, 0));
    assert!(!plan.is_empty());
}

#[test]
fn what_a_killed_deploy_began_to_change_has_both_values() {
    let mut record = recorded(TWO);
    let group = record.resources.get_mut("L").unwrap();
    group.unsure.insert("RetentionInDays".to_owned(), 5.into());
    let update = Action::Update(vec!["RetentionInDays".to_owned()]);
    for days in ["3}", "5}", "7}"] {
        let plan = planned(&TWO.replace("3}", days), &record).unwrap();
        assert_eq!(plan.steps[0].action, update, "{days}");
    }
}

#[test]
fn what_a_killed_deploy_was_to_replace_is_itself_again() {
    let mut record = recorded(TWO);
    let old = record.resources["M"].clone();
    let group = record.resources.get_mut("M").unwrap();
    (group.made, group.generation) = (false, 1);
    record.leftovers.push(crate::record::Leftover {
        name: "M".to_owned(),
        resource: old.clone(),
        retain: true,
    });
    let begun = record.take_unfinished();
    assert_eq!(begun.len(), 1);
    assert_eq!(record.resources["M"], old);
    assert!(record.leftovers.is_empty());
}

#[test]
fn what_is_waited_for_must_be_in_the_template() {
    let refused = |resources: &str| {
        let template = Template::parse(&format!("Resources:\n{resources}")).unwrap();
        let identity = Identity {
            stack: "demo".to_owned(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
        };
        let desired = Desired::of(&template, &BTreeMap::new(), &identity);
        desired.err().map(|error| error.to_string())
    };
    let text = "  A: {Type: AWS::Logs::LogGroup, DependsOn: [B]}\n";
    let refusal = refused(text).unwrap();
    assert!(
        refusal.contains("A: DependsOn: there is no resource B"),
        "{refusal}"
    );
    assert_eq!(
        refused(&format!("{text}  B: {{Type: AWS::Logs::LogGroup}}\n")),
        None
    );
    let left_out =
        "  B: {Type: AWS::Logs::LogGroup, Condition: Never}\nConditions: {Never: !Equals [a, b]}";
    assert_eq!(refused(&format!("{text}{left_out}")), None);
}

#[test]
fn two_cannot_have_one_name() {
    let role = "  R: {Type: AWS::IAM::Role, Properties: {RoleName: r, Path: /a/, AssumeRolePolicyDocument: {}}}";
    let refusal = planned(&role.replace("/a/", "/b/"), &recorded(role)).unwrap_err();
    assert!(refusal.contains("two cannot have one name"), "{refusal}");
}
