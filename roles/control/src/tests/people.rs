//! People to test with: users with keys and policies, and what they ask of IAM and STS.

use wire::sigv4::Signer;
use wire::uri::encode;

use super::harness::{World, signer};

/// Keys as somebody holds them.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

/// The text between the first `<name>` and its end.
pub(super) fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("{name}: {xml}"));
    rest.split_once("</").unwrap().0.to_owned()
}

pub(super) fn root() -> Keys {
    Keys {
        id: "AKIATEST".to_owned(),
        secret: "secret".to_owned(),
        token: None,
    }
}

/// Asks a service of the query protocol; gives the status and the XML.
pub(super) async fn ask(
    world: &World,
    keys: &Keys,
    service: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> (u16, String) {
    let mut form = format!("Action={action}");
    for (name, value) in parameters {
        form += &format!("&{name}={}", encode(value));
    }
    let signer = Signer {
        service,
        session_token: keys.token.as_deref(),
        ..signer(&keys.id, &keys.secret)
    };
    let answer = world.send(&signer, "POST", "/", form.as_bytes()).await;
    let text = String::from_utf8(answer.raw.body().to_vec()).unwrap();
    (answer.status, text)
}

pub(super) async fn iam(world: &World, action: &str, parameters: &[(&str, &str)]) -> String {
    let (status, xml) = ask(world, &root(), "iam", action, parameters).await;
    assert_eq!(status, 200, "{action}: {xml}");
    xml
}

/// A user with a key and, if there is one, an inline policy.
pub(super) async fn user(world: &World, name: &str, policy: Option<&str>) -> Keys {
    iam(world, "CreateUser", &[("UserName", name)]).await;
    if let Some(policy) = policy {
        let own = [
            ("UserName", name),
            ("PolicyName", "p"),
            ("PolicyDocument", policy),
        ];
        iam(world, "PutUserPolicy", &own).await;
    }
    let xml = iam(world, "CreateAccessKey", &[("UserName", name)]).await;
    Keys {
        id: element(&xml, "AccessKeyId"),
        secret: element(&xml, "SecretAccessKey"),
        token: None,
    }
}

pub(super) fn allow(action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}}}"#
    )
}
