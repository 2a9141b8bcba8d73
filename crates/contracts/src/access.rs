//! Calls of the access service. It emits no events: who must know of a policy change follows
//! [`WatchChanges`](stoa_kernel::decisions::WatchChanges).

use crate::Done;
use serde::{Deserialize, Serialize};
use stoa_kernel::Call;
use stoa_types::{BranchId, TenantId, UserId};

/// The names of the roles that every tenant starts with, from most to least powerful.
pub const DEFAULT_ROLES: [&str; 3] = ["admin", "manager", "representative"];

/// Asks what a user holds in the scope's tenant, for the claims of a token. Claims are hints for clients; decisions
/// read the policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeSubject {
    /// The user. An unknown one holds nothing.
    pub user: UserId,
}

/// The answer to [`DescribeSubject`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectDescription {
    /// Names of the roles in force now, in alphabetical order, without inherited ones.
    pub roles: Vec<String>,
    /// `own`, `branch` or `all`: the widest scope among the allowing grants of those roles, inherited ones included.
    pub data_scope: String,
    /// The user's branch.
    pub branch_id: Option<BranchId>,
    /// The tenant's plan, such as `free` or `premium`.
    pub plan: String,
}

impl Call for DescribeSubject {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.describe_subject";
    type Reply = SubjectDescription;
}

/// Creates a tenant with the [`DEFAULT_ROLES`] and their grants. Idempotent: a tenant that exists stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvisionTenant {
    /// Its id.
    pub tenant: TenantId,
    /// Its name in addresses: `^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`, unique on the platform.
    pub slug: String,
    /// Its name for people, 1 to 200 characters.
    pub name: String,
    /// Its plan: `free` or `premium`.
    pub plan: String,
}

/// The answer to [`ProvisionTenant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provisioned {
    /// False when the tenant existed.
    pub created: bool,
}

impl Call for ProvisionTenant {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.provision_tenant";
    type Reply = Provisioned;
}

/// Gives a user of the scope's tenant a role, and with `branch` a home branch. Idempotent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignRole {
    /// The user.
    pub user: UserId,
    /// The role's name.
    pub role: String,
    /// The user's home branch from now on; `None` leaves it as it is.
    pub branch: Option<BranchId>,
}

impl Call for AssignRole {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.assign_role";
    type Reply = Done;
}
