//! Every operation, by its name.

use records::iam::EntityKind::{self, Group, Role, User};
use wire::query::QueryError;

use super::call::Call;
use super::paging::nothing;
use super::xml::{group, whole};
use super::{Answer, Iam, no_such};

impl Iam {
    pub(super) async fn operation(&self, call: &Call<'_>) -> Answer {
        let action = call.query.action.as_str();
        // Most exist for users, groups and roles alike: `PutUserPolicy`, `PutRolePolicy`.
        for (word, kind) in [("User", User), ("Role", Role), ("Group", Group)] {
            if let Some((verb, rest)) = action.split_once(word)
                && let Some(answer) = self.of_entity(call, kind, verb, rest).await
            {
                return answer;
            }
        }
        match action {
            "GetGroup" => self.get_group(call).await,
            "AddUserToGroup" => self.add_user(call).await,
            "RemoveUserFromGroup" => self.remove_user(call).await,
            "ListGroupsForUser" => self.groups_of_user(call).await,
            "UpdateRole" => self.update_role(call).await.map(|_| String::new()),
            "UpdateRoleDescription" => {
                let role = self.update_role(call).await?;
                Ok(group("Role", &whole(&role)))
            }
            "UpdateAssumeRolePolicy" => self.update_trust(call).await,
            "CreateAccessKey" => self.create_key(call).await,
            "ListAccessKeys" => self.list_keys(call).await,
            "UpdateAccessKey" => self.update_key(call).await,
            "GetAccessKeyLastUsed" => self.key_last_used(call).await,
            "DeleteAccessKey" => self.delete_key(call).await,
            "GetAccountAuthorizationDetails" => self.account_details(call).await,
            _ => match self.of_policy(call).await {
                Some(answer) => answer,
                None => self.without_any(call).await,
            },
        }
    }

    /// What exists for several kinds, by what precedes and follows the kind's name.
    async fn of_entity(
        &self,
        call: &Call<'_>,
        kind: EntityKind,
        verb: &str,
        rest: &str,
    ) -> Option<Answer> {
        let tagged = kind != Group;
        Some(match (verb, rest) {
            ("Create", "") => self.create(call, kind).await,
            ("Get", "") if kind != Group => self.get(call, kind).await,
            ("List", "s") => self.list_entities(call, kind).await,
            ("Update", "") if kind != Role => self.update(call, kind).await,
            ("Delete", "") => self.delete(call, kind).await,
            ("Put", "Policy") => self.put_inline(call, kind).await,
            ("Get", "Policy") => self.get_inline(call, kind).await,
            ("Delete", "Policy") => self.delete_inline(call, kind).await,
            ("List", "Policies") => self.list_inline(call, kind).await,
            ("Attach", "Policy") => self.attach(call, kind).await,
            ("Detach", "Policy") => self.detach(call, kind).await,
            ("ListAttached", "Policies") => self.list_attached(call, kind).await,
            ("Put", "PermissionsBoundary") if tagged => self.put_boundary(call, kind).await,
            ("Delete", "PermissionsBoundary") if tagged => self.delete_boundary(call, kind).await,
            ("Tag", "") if tagged => self.tag(call, kind).await,
            ("Untag", "") if tagged => self.untag(call, kind).await,
            ("List", "Tags") if tagged => self.list_tags(call, kind).await,
            _ => return None,
        })
    }

    async fn of_policy(&self, call: &Call<'_>) -> Option<Answer> {
        Some(match call.query.action.as_str() {
            "CreatePolicy" => self.create_policy(call).await,
            "GetPolicy" => self.get_policy(call).await,
            "ListPolicies" => self.list_policies(call).await,
            "DeletePolicy" => self.delete_policy(call).await,
            "ListEntitiesForPolicy" => self.entities_for_policy(call).await,
            "CreatePolicyVersion" => self.create_version(call).await,
            "GetPolicyVersion" => self.get_version(call).await,
            "ListPolicyVersions" => self.list_versions(call).await,
            "SetDefaultPolicyVersion" => self.set_default_version(call).await,
            "DeletePolicyVersion" => self.delete_version(call).await,
            "TagPolicy" => self.tag_policy(call).await,
            "UntagPolicy" => self.untag_policy(call).await,
            "ListPolicyTags" => self.list_policy_tags(call).await,
            _ => return None,
        })
    }

    /// What nobody can have here, so that clients learn that they have none.
    async fn without_any(&self, call: &Call<'_>) -> Answer {
        let (kind, list) = match call.query.action.as_str() {
            "ListInstanceProfilesForRole" => (Role, "InstanceProfiles"),
            "ListMFADevices" => (User, "MFADevices"),
            "ListSSHPublicKeys" => (User, "SSHPublicKeys"),
            "ListSigningCertificates" => (User, "Certificates"),
            "ListServiceSpecificCredentials" => (User, "ServiceSpecificCredentials"),
            "GetLoginProfile" | "DeleteLoginProfile" => {
                let user = self.entity(call, User).await?;
                let name = user.name;
                return Err(no_such(format!(
                    "Login Profile for User {name} cannot be found."
                )));
            }
            other => {
                call.may("*")?;
                return Err(QueryError::not_implemented(other));
            }
        };
        self.entity(call, kind).await?;
        Ok(nothing(list))
    }
}
