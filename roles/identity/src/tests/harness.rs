//! IAM and STS in memory, and what their keys allow.

use std::sync::Arc;

use authn::Authenticator;
use authn::authorisation::Ask;
use http::Request;
use keyring::Keyring;
use storage::memory::MemoryTable;
use types::{Clock as _, ManualClock, SystemRandom, Timestamp};
use wire::sigv4::Signed;

use crate::examples::{Client, Held, allow, element, roots};
use crate::{Dependencies, Keys, Service, UnknownRoles};

pub(super) const ANN: &str = "arn:aws:iam::000000000000:user/ann";
pub(super) const WORKER: &str = "arn:aws:iam::000000000000:role/worker";

pub(super) struct World {
    pub(super) client: Client,
    pub(super) clock: Arc<ManualClock>,
    pub(super) keys: Arc<Keys>,
    authenticator: Arc<Authenticator>,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_769_854_830_123)));
        let keyring = Arc::new(Keyring::from_bytes([7; 32]));
        let (table, random) = (Arc::new(MemoryTable::default()), Arc::new(SystemRandom));
        let keys = Keys::new(
            roots(),
            &UnknownRoles::default(),
            &keyring,
            table.clone(),
            clock.clone(),
            random.clone(),
        );
        let keys = Arc::new(keys.unwrap());
        let authenticator = Arc::new(Authenticator::new(keys.clone(), clock.clone()));
        let service = Service::new(Dependencies {
            table,
            identities: keys.clone(),
            authenticator: Arc::clone(&authenticator),
            keyring,
            clock: clock.clone(),
            random,
        });
        Self {
            client: Client {
                service,
                clock: clock.clone(),
            },
            clock,
            keys,
            authenticator,
        }
    }

    /// With the user `ann`, and the role `worker` that trusts her by name.
    pub(super) async fn with_ann() -> (Self, Held) {
        let world = Self::new();
        let ann = world.client.user("ann", None).await;
        let everything = allow("lambda:*", "*");
        world.role("worker", &trust(ANN, ""), &everything).await;
        (world, ann)
    }

    /// A role that trusts, with an inline policy.
    pub(super) async fn role(&self, name: &str, trust: &str, policy: &str) {
        let trusts = [("RoleName", name), ("AssumeRolePolicyDocument", trust)];
        self.client.iam("CreateRole", &trusts).await;
        let own = [
            ("RoleName", name),
            ("PolicyName", "p"),
            ("PolicyDocument", policy),
        ];
        self.client.iam("PutRolePolicy", &own).await;
    }

    pub(super) async fn become_role(
        &self,
        keys: &Held,
        parameters: &[(&str, &str)],
    ) -> Result<(Held, String), String> {
        let mut all = Vec::from(parameters);
        for (name, value) in [("RoleArn", WORKER), ("RoleSessionName", "s1")] {
            if !all.iter().any(|(known, _)| *known == name) {
                all.push((name, value));
            }
        }
        match self.client.ask(keys, "sts", "AssumeRole", &all).await {
            (200, xml) => Ok((Held::told(&xml), xml)),
            (_, xml) => Err(format!(
                "{}: {}",
                element(&xml, "Code"),
                element(&xml, "Message")
            )),
        }
    }

    /// Whether the owner of these keys may do GetFunction and ListFunctions.
    pub(super) async fn may(&self, keys: &Held) -> (bool, bool) {
        let request = Request::get("/").header("host", "localhost:9100");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        keys.signer("lambda")
            .sign(&mut parts, b"", self.clock.now());
        let signed = Signed::parse(&parts).unwrap();
        let body = bytes::Bytes::new();
        let known = self
            .authenticator
            .authenticate(&signed, &parts, &body)
            .await;
        let Ok(requester) = known else {
            return (false, false);
        };
        let may = |action, resource| {
            let asked = requester.authorise(Ask {
                action,
                resource,
                owner: requester.account(),
                policy: None,
                context: Default::default(),
            });
            asked.is_ok()
        };
        let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
        (
            may("lambda:GetFunction", function),
            may("lambda:ListFunctions", "*"),
        )
    }
}

pub(super) fn trust(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},
           "Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]{condition}}}}}"#
    )
}
