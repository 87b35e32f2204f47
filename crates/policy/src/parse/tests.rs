//! Which documents are read.

use proptest::prelude::*;

use super::*;

fn refused(text: &str, form: Form, message: &str) {
    let error = Policy::parse(text, form).map(|_| ()).unwrap_err();
    assert!(error.0.contains(message), "{text}: {}", error.0);
}

fn statement(members: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{members}}}}}"#)
}

fn taken(text: &str, form: Form) {
    Policy::parse(text, form).unwrap_or_else(|error| panic!("{text}: {}", error.0));
}

#[test]
fn documents_in_all_their_forms() {
    taken(&statement(r#""Action":"*","Resource":"*""#), Form::Identity);
    taken(
        r#"{"Id":"x","Statement":[{"Sid":"A","Effect":"Deny","NotAction":["s3:*"],
            "NotResource":["arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:SecureTransport":false},
            "NumericLessThan":{"a:b":[3,"4"]}}}]}"#,
        Form::Identity,
    );
    taken(
        &statement(
            r#""Principal":{"Service":["lambda.amazonaws.com"],"AWS":"000000000000"},
               "Action":"sts:AssumeRole""#,
        ),
        Form::Trust,
    );
    taken(
        &statement(r#""Principal":"*","Action":"lambda:*","Resource":"arn:aws:lambda:*""#),
        Form::Resource,
    );
    let but = r#"{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"111111111111"},"Action":"a:b",
                  "Resource":"arn:aws:s3:::${aws:username}"}}"#;
    taken(but, Form::Resource);
    taken(
        &statement(r#""Action":"a:b","Resource":"*","Condition":{},"Sid":"""#),
        Form::Identity,
    );
    for resource in [
        "arn:aws:lambda:*",
        "arn:*",
        "arn:aws:lambda:*:function:denied",
        "arn:aws:*:denied",
        "arn:aws*:lambda:us-east-?:${aws:PrincipalAccount}:function:f",
        "arn:aws:iam::aws:policy/*",
        "arn:aws:s3:::bucket/${aws:PrincipalTag/team, 'none'}/*",
    ] {
        let members = format!(r#""Action":"a:b","Resource":"{resource}""#);
        taken(&statement(&members), Form::Identity);
    }
}

/// Each is a denial that would never deny what it says.
#[test]
fn what_could_not_be_obeyed_is_refused() {
    use Form::{Identity, Resource, Trust};
    let deny = |members: &str| format!(r#"{{"Statement":[{{"Effect":"Deny",{members}}}]}}"#);
    for resource in [
        "*denied",
        "?",
        "**",
        "arn*",
        "ARN:aws:lambda:*:*:function:denied",
        "arn:aws:lambda:function:denied",
        "arn:aws:lambda:us-east-1:11111:function:denied",
        "${aws:username}",
    ] {
        let members = format!(r#""Action":"a:b","Resource":"{resource}""#);
        refused(&deny(&members), Identity, "must be in ARN format");
    }
    for (resource, message) in [
        (
            "arn:awz:lambda:*:*:function:denied",
            r#"Partition "awz" is not valid"#,
        ),
        (
            "arn:aws-cn:lambda:*:*:function:denied",
            r#"Partition "aws-cn" is not valid"#,
        ),
        ("arn:aws::*:*:function:denied", "Vendor"),
        (
            "arn:aws:iam:us-east-1:111111111111:role/r",
            "cannot contain region information",
        ),
    ] {
        let members = format!(r#""Action":"a:b","Resource":["{resource}"]"#);
        refused(&deny(&members), Identity, message);
    }
    for (condition, message) in [
        (
            r#""DateGreaterThan":{"aws:CurrentTime":"1 January 2020"}"#,
            "1 January 2020",
        ),
        (
            r#""IpAddress":{"aws:SourceIp":["10.0.0.0/8","127.0.0.1-127.0.0.255"]}"#,
            "IpAddress",
        ),
        (
            r#""NotIpAddress":{"aws:SourceIp":"localhost"}"#,
            "NotIpAddress",
        ),
        (r#""Bool":{"aws:SecureTransport":"no"}"#, "Bool"),
        (r#""NumericLessThan":{"a:b":true}"#, "NumericLessThan"),
        (r#""ArnLike":{"aws:PrincipalArn":"user/ann"}"#, "ArnLike"),
        (r#""Null":{"a:b":"perhaps"}"#, "Null"),
        (
            r#""ForAllValues:Null":{"a:b":"true"}"#,
            "Invalid Condition type : ForAllValues:Null.",
        ),
        (r#""StringEquals":{"a:b":[]}"#, "has no values"),
        (
            r#""StringEquals":{"a:b":"1"},"stringequals":{"a:b":"2"}"#,
            "there twice",
        ),
        (r#""StringEquals":{"a:b":"1","A:B":"2"}"#, "there twice"),
        (r#""StringEquals":{"a:b ":"1"}"#, "Syntax errors in policy."),
        (r#""StringEquals":{"a:":"1"}"#, "Vendor"),
        (r#""StringEquals":{" aws:x":"1"}"#, "Vendor"),
        (r#""StringEquals":{"a:b":null}"#, "Syntax errors in policy."),
    ] {
        let members = format!(r#""Action":"a:b","Resource":"*","Condition":{{{condition}}}"#);
        refused(&deny(&members), Identity, message);
    }
    for action in ["lambda:${aws:username}", "lambda:a b", "lambda:x:y"] {
        let members = format!(r#""Action":"{action}","Resource":"*""#);
        refused(&deny(&members), Identity, "Syntax errors in policy.");
    }
    for principal in [
        r#"{"AWS":"arn:aws:iam::111111111111:group/g"}"#,
        r#"{"AWS":["111111111111","arn:aws-cn:iam::111111111111:user/u"]}"#,
        r#"{"Service":"Lambda.amazonaws.com"}"#,
        r#"{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}"#,
        r#"{"aws":"111111111111"}"#,
    ] {
        let members = format!(r#""Principal":{principal},"Action":"sts:*""#);
        refused(&deny(&members), Trust, "Invalid principal in policy");
    }
    refused(
        &statement(r#""NotPrincipal":{"AWS":"111111111111"},"Action":"a:b","Resource":"*""#),
        Resource,
        "Allow with NotPrincipal is not allowed.",
    );
}

#[test]
fn two_members_of_one_name_are_refused_at_any_depth() {
    let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"a:b","Resource":"*",
        "Condition":{"StringEquals":{"a:b":"c"}}}]}"#;
    taken(all, Form::Identity);
    for (name, twice) in [
        (r#""Version""#, r#""Version":"2012-10-17","Version""#),
        (r#""Statement""#, r#""Statement":[],"Statement""#),
        (r#""Effect""#, r#""Effect":"Deny","Effect""#),
        (r#""Effect""#, r#""\u0045ffect":"Allow","Effect""#),
        (r#""Action""#, r#""Action":"c:d","Action""#),
        (r#""Condition""#, r#""Condition":{},"Condition""#),
        (r#""StringEquals""#, r#""StringEquals":{},"StringEquals""#),
        (r#""a:b":"c""#, r#""a:b":"d","a:b":"c""#),
    ] {
        let text = all.replacen(name, twice, 1);
        assert_ne!(text, all);
        refused(&text, Form::Identity, "two members of one name");
    }
}

#[test]
fn what_is_no_document_is_refused_in_iams_words() {
    use Form::{Identity, Resource, Trust};
    refused("", Identity, "This policy contains invalid Json");
    refused("[]", Identity, "This policy contains invalid Json");
    for bad in [
        "{}",
        r#"{"Statement":[]}"#,
        r#"{"Statement":"x"}"#,
        r#"{"Statement":[1]}"#,
        r#"{"Version":"2020-01-01","Statement":[]}"#,
        r#"{"Version":3,"Statement":[]}"#,
        r#"{"Other":1}"#,
        r#"{"Id":1,"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"allow","Action":"a:b","Resource":"*"}}"#,
        r#"{"Statement":{"Action":"a:b","Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":1,"Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":[1],"Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"a:b","NotAction":"a:b","Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","":1}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Sid":1}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":[]}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Bool":1}}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Bool":{"a:b":{}}}}}"#,
    ] {
        refused(bad, Identity, "Syntax errors in policy.");
    }
    let check = |members: &str, form, message| refused(&statement(members), form, message);
    check(r#""Resource":"*""#, Identity, "must contain actions");
    check(
        r#""Action":[],"Resource":"*""#,
        Identity,
        "must contain actions",
    );
    check(r#""Action":"a:b""#, Identity, "must contain resources");
    check(
        r#""Action":"b","Resource":"*""#,
        Identity,
        "prefaced by a vendor",
    );
    check(
        r#""Action":"a b:c","Resource":"*""#,
        Identity,
        "Vendor a b is not valid",
    );
    check(
        r#""Action":"a:b","Resource":"f""#,
        Identity,
        r#"Resource f must be in ARN format or "*"."#,
    );
    check(
        r#""Action":"a:b","Resource":"arn:aws:s3""#,
        Identity,
        "ARN format",
    );
    check(
        r#""Action":"a:b","Resource":"arn:aws:s3:::${x""#,
        Identity,
        "Syntax",
    );
    check(
        r#""Principal":"*","Action":"a:b","Resource":"*""#,
        Identity,
        "should not specify a principal",
    );
    check(
        r#""Action":"a:b","Resource":"*""#,
        Resource,
        "Missing required field Principal",
    );
    check(
        r#""Principal":{"AWS":"bob"},"Action":"a:b","Resource":"*""#,
        Resource,
        r#"Invalid principal in policy: "AWS":"bob""#,
    );
    for principal in [
        "{}",
        "1",
        r#""x""#,
        r#"{"AWS":[]}"#,
        r#"{"Some":"x"}"#,
        r#"{"Service":"*"}"#,
    ] {
        let members = format!(r#""Principal":{principal},"Action":"a:b","Resource":"*""#);
        refused(
            &statement(&members),
            Resource,
            "Invalid principal in policy",
        );
    }
    check(
        r#""Principal":"*","Action":"sts:AssumeRole","Resource":"*""#,
        Trust,
        "Has prohibited field Resource",
    );
    check(
        r#""Principal":"*","Action":"s3:GetObject""#,
        Trust,
        "may only specify STS",
    );
    check(
        r#""Action":"a:b","Resource":"*","Condition":{"Same":{"a:b":"c"}}"#,
        Identity,
        "Invalid Condition type : Same.",
    );
    check(
        r#""Action":"a:b","Resource":"*","Condition":{"Bool":{"b":"c"}}"#,
        Identity,
        "prefaced by a vendor",
    );
    check(
        r#""Action":"a:b","Resource":"*","Sid":"a b""#,
        Identity,
        "alpha-numeric",
    );
    let twice = r#"{"Sid":"A","Effect":"Allow","Action":"a:b","Resource":"*"}"#;
    refused(
        &format!(r#"{{"Statement":[{twice},{twice}]}}"#),
        Identity,
        "Statement IDs (SID) in a single policy must be unique.",
    );
}

fn json() -> impl Strategy<Value = Value> {
    let words = "(Statement|Effect|Allow|Deny|Action|Resource|Principal|AWS|Condition|Bool|Sid|\\*|a:b|\\$\\{a:b\\}|\\PC{0,5})";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words, inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_document_makes_it_panic(value in json(), text in "\\PC{0,60}") {
        for form in [Form::Identity, Form::Resource, Form::Trust] {
            let _ = Policy::from_value(&value, form);
            let _ = Policy::from_value(&serde_json::json!({ "Statement": value }), form);
            let _ = Policy::parse(&text, form);
        }
    }
}
