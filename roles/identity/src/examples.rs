//! Users and roles as tests of other roles need them: with keys and policies, and their calls to IAM
//! and STS.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is test code, in the library to be shared"
)]

use std::sync::Arc;

use api::Secret;
use bytes::Bytes;
use http::{Request, Response};
use types::{AccountId, Clock, RequestId};
use wire::sigv4::Signer;
use wire::uri::encode;

use crate::{RootKey, Service};

/// The id of the key of account 000000000000, whose secret is `secret`.
pub const ROOT: &str = "AKIATEST";
/// The id of another account's key, that of 111111111111, with the same secret.
pub const OTHER_ROOT: &str = "AKIAOTHER";

/// Keys as a client holds them.
#[derive(Clone, Debug)]
pub struct Held {
    /// `AKIA…`, or `ASIA…` with a token.
    pub id: String,
    /// The secret key.
    pub secret: String,
    /// The session token of temporary keys.
    pub token: Option<String>,
}

/// Two accounts.
pub fn roots() -> Vec<RootKey> {
    let accounts = [(ROOT, "000000000000"), (OTHER_ROOT, "111111111111")];
    let roots = accounts.map(|(id, account)| RootKey {
        access_key_id: id.to_owned(),
        secret: Secret::new("secret"),
        account: AccountId::new(account).unwrap(),
    });
    roots.into()
}

/// The key of account 000000000000.
pub fn root() -> Held {
    Held {
        id: ROOT.to_owned(),
        secret: "secret".to_owned(),
        token: None,
    }
}

impl Held {
    /// Keys as IAM and STS return them.
    pub fn told(xml: &str) -> Self {
        Self {
            id: element(xml, "AccessKeyId"),
            secret: element(xml, "SecretAccessKey"),
            token: xml
                .contains("<SessionToken>")
                .then(|| element(xml, "SessionToken")),
        }
    }

    /// What signs with them for a service.
    pub fn signer<'k>(&'k self, service: &'k str) -> Signer<'k> {
        Signer {
            access_key_id: &self.id,
            secret: &self.secret,
            session_token: self.token.as_deref(),
            region: "us-east-1",
            service,
        }
    }
}

/// The text between the first `<name>` and its end.
pub fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("{name}: {xml}"));
    rest.split_once("</").unwrap().0.to_owned()
}

/// A policy that allows that.
pub fn allow(action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}}}"#
    )
}

/// A client of IAM and STS.
pub struct Client {
    /// Both.
    pub service: Service,
    /// When they are asked.
    pub clock: Arc<dyn Clock>,
}

impl Client {
    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let id = RequestId::from_uuid(Default::default());
        self.service.answer(&parts, &body, id).await
    }

    /// Calls a service; returns the status and the XML.
    pub async fn ask(
        &self,
        keys: &Held,
        service: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> (u16, String) {
        let mut form = format!("Action={action}");
        for (name, value) in parameters {
            form += &format!("&{name}={}", encode(value));
        }
        let request = Request::post("/").header("host", "localhost:9100");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let (signer, now) = (keys.signer(service), self.clock.now());
        signer.sign(&mut parts, form.as_bytes(), now);
        let request = Request::from_parts(parts, Bytes::from(form));
        let answer = self.send(request).await;
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        (answer.status().as_u16(), text)
    }

    /// Calls IAM as the account itself, and must succeed; returns the XML.
    pub async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let (status, xml) = self.ask(&root(), "iam", action, parameters).await;
        assert_eq!(status, 200, "{action}: {xml}");
        xml
    }

    /// A new user with a key and, if there is one, an inline policy.
    pub async fn user(&self, name: &str, policy: Option<&str>) -> Held {
        self.iam("CreateUser", &[("UserName", name)]).await;
        if let Some(policy) = policy {
            let own = [
                ("UserName", name),
                ("PolicyName", "p"),
                ("PolicyDocument", policy),
            ];
            self.iam("PutUserPolicy", &own).await;
        }
        Held::told(&self.iam("CreateAccessKey", &[("UserName", name)]).await)
    }
}
