//! Who may what, case by case.

use proptest::prelude::*;

use super::*;
use crate::parse::Form;

const OWN: &str = "111111111111";
const OTHER: &str = "222222222222";
const F: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";
const ACTION: &str = "lambda:InvokeFunction";
const USER: Caller<'_> = Caller::User {
    account: OWN,
    arn: "arn:aws:iam::111111111111:user/u",
};
const SESSION: Caller<'_> = Caller::Session {
    account: OWN,
    role: "arn:aws:iam::111111111111:role/r",
    arn: "arn:aws:sts::111111111111:assumed-role/r/s",
};

fn own(effect: &str) -> Arc<Policy> {
    let text = format!(
        r#"{{"Statement":{{"Effect":"{effect}","Action":"lambda:Invoke*","Resource":"{F}"}}}}"#
    );
    Arc::new(Policy::parse(&text, Form::Identity).unwrap())
}

fn of_resource(effect: &str, principal: &str) -> Policy {
    let text = format!(
        r#"{{"Statement":{{"Effect":"{effect}","Principal":{principal},"Action":"{ACTION}",
            "Resource":"{F}"}}}}"#
    );
    Policy::parse(&text, Form::Resource).unwrap()
}

fn with(policies: &[&str]) -> Permissions {
    Permissions {
        policies: policies.iter().map(|effect| own(effect)).collect(),
        ..Permissions::default()
    }
}

fn root() -> Permissions {
    Permissions {
        everything: true,
        ..Permissions::default()
    }
}

fn check(
    caller: Caller<'_>,
    permissions: &Permissions,
    policy: Option<&Policy>,
    owner: &str,
    expected: Result<(), Why>,
) {
    let resource = F.replace(OWN, owner);
    let policy_text = policy.cloned();
    let found = judge(&Question {
        trust: false,
        caller,
        permissions,
        action: ACTION,
        resource: if owner == OWN { F } else { &resource },
        owner,
        policy: policy_text.as_ref(),
        context: &Context::new(),
    });
    assert_eq!(found, expected, "{caller:?} {policy:?}");
}

#[test]
fn in_the_same_account_one_side_is_enough() {
    use Kind::*;
    let nobody = Permissions::default();
    let named = of_resource("Allow", r#"{"AWS":"arn:aws:iam::111111111111:user/u"}"#);
    let account = of_resource("Allow", r#"{"AWS":"111111111111"}"#);
    let everybody = of_resource("Allow", r#""*""#);
    check(USER, &nobody, None, OWN, Err(Why::Implicit(Identity)));
    check(USER, &with(&["Allow"]), None, OWN, Ok(()));
    check(USER, &nobody, Some(&named), OWN, Ok(()));
    check(USER, &nobody, Some(&everybody), OWN, Ok(()));
    // The account is left to say for itself, and has not.
    check(
        USER,
        &nobody,
        Some(&account),
        OWN,
        Err(Why::Implicit(Identity)),
    );
    check(Caller::Root { account: OWN }, &root(), None, OWN, Ok(()));
}

#[test]
fn across_accounts_both_sides_must_allow() {
    use Kind::*;
    let caller = Caller::User {
        account: OTHER,
        arn: "arn:aws:iam::222222222222:user/u",
    };
    let account = of_resource("Allow", r#"{"AWS":"222222222222"}"#);
    check(
        caller,
        &with(&["Allow"]),
        None,
        OWN,
        Err(Why::Implicit(Resource)),
    );
    check(
        caller,
        &with(&[]),
        Some(&account),
        OWN,
        Err(Why::Implicit(Identity)),
    );
    check(caller, &with(&["Allow"]), Some(&account), OWN, Ok(()));
    let other_root = Caller::Root { account: OTHER };
    check(other_root, &root(), None, OWN, Err(Why::Implicit(Resource)));
    check(other_root, &root(), Some(&account), OWN, Ok(()));
}

#[test]
fn a_denial_wins_over_everything() {
    use Kind::*;
    let allow = of_resource("Allow", r#""*""#);
    let deny = of_resource("Deny", r#"{"AWS":"111111111111"}"#);
    check(
        USER,
        &with(&["Allow", "Deny"]),
        Some(&allow),
        OWN,
        Err(Why::Explicit(Identity)),
    );
    check(
        USER,
        &with(&["Allow"]),
        Some(&deny),
        OWN,
        Err(Why::Explicit(Resource)),
    );
    check(
        Caller::Root { account: OWN },
        &root(),
        Some(&deny),
        OWN,
        Err(Why::Explicit(Resource)),
    );
    let mut limited = with(&["Allow"]);
    limited.boundary = Some(own("Deny"));
    check(USER, &limited, None, OWN, Err(Why::Explicit(Boundary)));
    limited.boundary = None;
    limited.session = vec![own("Allow"), own("Deny")];
    check(SESSION, &limited, None, OWN, Err(Why::Explicit(Session)));
    let mut lost = with(&["Allow"]);
    lost.policies.push(Arc::new(Policy::deny_all()));
    check(USER, &lost, None, OWN, Err(Why::Explicit(Identity)));
}

#[test]
fn boundaries_and_session_policies_allow_nothing_by_themselves() {
    use Kind::*;
    let elsewhere = r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
    let elsewhere = Arc::new(Policy::parse(elsewhere, Form::Identity).unwrap());
    let mut limited = with(&["Allow"]);
    limited.session = vec![Arc::clone(&elsewhere)];
    check(SESSION, &limited, None, OWN, Err(Why::Implicit(Session)));
    let role = of_resource("Allow", r#"{"AWS":"arn:aws:iam::111111111111:role/r"}"#);
    check(
        SESSION,
        &limited,
        Some(&role),
        OWN,
        Err(Why::Implicit(Session)),
    );
    let session = r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/r/s"}"#;
    check(
        SESSION,
        &limited,
        Some(&of_resource("Allow", session)),
        OWN,
        Ok(()),
    );
    limited.session = vec![elsewhere, own("Allow")];
    check(SESSION, &limited, None, OWN, Ok(()));
    limited.policies.clear();
    check(SESSION, &limited, None, OWN, Err(Why::Implicit(Identity)));
    limited.boundary = Some(own("Allow"));
    check(SESSION, &limited, None, OWN, Err(Why::Implicit(Identity)));
}

#[test]
fn strangers_and_services_are_let_in_by_the_resource_alone() {
    let nobody = Permissions::default();
    let refused = Err(Why::Implicit(Kind::Resource));
    let everybody = of_resource("Allow", r#""*""#);
    check(Caller::Anonymous, &nobody, None, OWN, refused);
    check(Caller::Anonymous, &nobody, Some(&everybody), OWN, Ok(()));
    let s3 = Caller::Service("s3.amazonaws.com");
    let service = of_resource("Allow", r#"{"Service":"s3.amazonaws.com"}"#);
    check(s3, &nobody, Some(&service), OWN, Ok(()));
    check(Caller::Anonymous, &nobody, Some(&service), OWN, refused);
    let account = of_resource("Allow", r#"{"AWS":"111111111111"}"#);
    check(s3, &nobody, Some(&account), OWN, refused);
}

#[test]
fn all_but_some_are_meant() {
    let deny = r#"{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"111111111111"},
                   "NotAction":"lambda:Get*","NotResource":"arn:aws:s3:::*"}}"#;
    let deny = Policy::parse(deny, Form::Resource).unwrap();
    let stranger = Caller::Root { account: OTHER };
    let refused = Err(Why::Explicit(Kind::Resource));
    check(stranger, &root(), Some(&deny), OWN, refused);
    check(USER, &with(&["Allow"]), Some(&deny), OWN, Ok(()));
    // An exception that cannot be filled in makes a permission smaller, not larger.
    let open = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:*",
                   "NotResource":"arn:aws:lambda:*:*:function:${aws:PrincipalTag/team}"}}"#;
    let open = Permissions {
        policies: vec![Arc::new(Policy::parse(open, Form::Identity).unwrap())],
        ..Permissions::default()
    };
    check(USER, &open, None, OWN, Err(Why::Implicit(Kind::Identity)));
}

#[test]
fn refusals_are_in_awss_words() {
    let question = Question {
        trust: false,
        caller: USER,
        permissions: &Permissions::default(),
        action: ACTION,
        resource: F,
        owner: OWN,
        policy: None,
        context: &Context::new(),
    };
    assert_eq!(
        decide(&question).unwrap_err().to_string(),
        "User: arn:aws:iam::111111111111:user/u is not authorized to perform: \
         lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:111111111111:function:f \
         because no identity-based policy allows the lambda:InvokeFunction action"
    );
    let denied = with(&["Deny"]);
    let question = Question {
        trust: false,
        permissions: &denied,
        ..question
    };
    assert!(
        decide(&question)
            .unwrap_err()
            .to_string()
            .ends_with("function:f with an explicit deny in an identity-based policy")
    );
}

#[test]
fn conditions_and_variables_are_part_of_it() {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:*",
        "Resource":"arn:aws:lambda:*:*:function:${aws:username}-*",
        "Condition":{"StringEquals":{"aws:RequestedRegion":["us-east-1","us-west-2"]},
                     "Bool":{"aws:SecureTransport":"false"}}}}"#;
    let permissions = Permissions {
        policies: vec![Arc::new(Policy::parse(text, Form::Identity).unwrap())],
        ..Permissions::default()
    };
    let ask = |resource: &str, region: &str| {
        let context = Context::new()
            .with("aws:username", "u")
            .with("aws:RequestedRegion", region)
            .with("aws:SecureTransport", "false");
        judge(&Question {
            trust: false,
            caller: USER,
            permissions: &permissions,
            action: ACTION,
            resource,
            owner: OWN,
            policy: None,
            context: &context,
        })
        .is_ok()
    };
    assert!(ask(
        "arn:aws:lambda:us-east-1:111111111111:function:u-f",
        "us-east-1"
    ));
    assert!(!ask(
        "arn:aws:lambda:us-east-1:111111111111:function:v-f",
        "us-east-1"
    ));
    assert!(!ask(
        "arn:aws:lambda:us-east-1:111111111111:function:u-f",
        "eu-west-1"
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    /// Whatever else is there: one more denial never allows anyone, and a denied requester stays so.
    #[test]
    fn a_denial_more_allows_nothing_more(
        allows in prop::collection::vec(any::<bool>(), 0..4),
        resource in prop::option::of((any::<bool>(), 0..3_usize)),
        boundary in prop::option::of(any::<bool>()),
        other in any::<bool>(),
    ) {
        let effect = |allow: bool| if allow { "Allow" } else { "Deny" };
        let principals = [r#""*""#, r#"{"AWS":"111111111111"}"#, r#"{"AWS":"222222222222"}"#];
        let caller = if other { Caller::Root { account: OTHER } } else { USER };
        let policy = resource.map(|(allow, who)| of_resource(effect(allow), principals[who]));
        let mut permissions = Permissions {
            policies: allows.iter().map(|allow| own(effect(*allow))).collect(),
            boundary: boundary.map(|allow| own(effect(allow))),
            ..Permissions::default()
        };
        let ask = |permissions: &Permissions, policy: Option<&Policy>| judge(&Question {
            trust: false,
            caller, permissions, action: ACTION, resource: F, owner: OWN, policy,
            context: &Context::new(),
        });
        let before = ask(&permissions, policy.as_ref());
        if policy.is_none() && other {
            prop_assert!(before.is_err());
        }
        permissions.policies.push(own("Deny"));
        prop_assert!(ask(&permissions, policy.as_ref()).is_err());
        let nobody = Permissions::default();
        if ask(&nobody, None).is_ok() {
            prop_assert!(before.is_ok());
        }
    }
}

#[test]
fn nobody_becomes_a_role_that_does_not_trust_them() {
    use Kind::*;
    let trusts = |principal: &str| {
        let text = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}}}"#
        );
        Policy::parse(&text, Form::Trust).unwrap()
    };
    let everything = Policy::parse(
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        Form::Identity,
    );
    let may = Permissions {
        policies: vec![Arc::new(everything.unwrap())],
        ..Permissions::default()
    };
    let may_not = Permissions::default();
    for (principal, permissions, expected) in [
        (
            r#"{"AWS":"arn:aws:iam::111111111111:user/u"}"#,
            &may_not,
            Ok(()),
        ),
        (
            r#"{"AWS":"arn:aws:iam::111111111111:user/x"}"#,
            &may,
            Err(Why::Implicit(Resource)),
        ),
        (r#"{"AWS":"111111111111"}"#, &may, Ok(())),
        (
            r#"{"AWS":"111111111111"}"#,
            &may_not,
            Err(Why::Implicit(Identity)),
        ),
        (r#"{"AWS":"*"}"#, &may_not, Ok(())),
        (
            r#"{"Service":"lambda.amazonaws.com"}"#,
            &may,
            Err(Why::Implicit(Resource)),
        ),
    ] {
        let policy = trusts(principal);
        let found = judge(&Question {
            caller: USER,
            permissions,
            action: "sts:AssumeRole",
            resource: "arn:aws:iam::111111111111:role/r",
            owner: OWN,
            policy: Some(&policy),
            trust: true,
            context: &Context::new(),
        });
        assert_eq!(found, expected, "{principal}");
    }
}
