//! Calls of the access service. It emits no events: who must know of a policy change follows
//! [`WatchChanges`](stoa_kernel::decisions::WatchChanges).

use crate::Done;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_kernel::Call;
use stoa_policy::DataScope;
use stoa_types::{BranchId, RoleId, TenantId, UserId};
use uuid::Uuid;

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
    /// The widest scope among the allowing grants of those roles, inherited ones included: `own`, `team`, `branch`,
    /// `branchAndBelow`, `organization` or `all`.
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

/// The permission of those who may give and take roles without `iam:write`, up to what they hold themselves. The user
/// service declares it; a user is the owner of their own row.
pub const ASSIGN_ROLES: &str = "users:assign";

/// The permission of those who write the policy, and so may have whatever they want: no rule about "no more than one
/// holds" is about them.
pub const WRITE_POLICY: &str = "iam:write";

/// Gives a user of the scope's tenant a role, on behalf of the scope's user, who needs [`ASSIGN_ROLES`] on that user or
/// [`WRITE_POLICY`]. Without the latter the role may give nothing that the caller does not hold for as long, on rows that
/// the caller reaches too.
///
/// A role that is held for the same period is left as it is; for another period it is refused (409
/// `iam.already_assigned`). An unknown role is 422 at `/roleId`, more than the caller holds is 403.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantRole {
    /// Who gets it. Access does not know users: whether there is one is the caller's to check.
    pub user: UserId,
    /// The role.
    pub role: RoleId,
    /// From when it holds; since ever unless given.
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, exclusive; for ever unless given.
    pub valid_until: Option<Timestamp>,
}

/// The answer to [`GrantRole`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleGranted {
    /// The role as it is held now.
    pub role: HeldRole,
    /// False when it was held already.
    pub created: bool,
    /// The tenant's policy revision from which it holds.
    pub revision: i64,
}

impl Call for GrantRole {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.grant_role";
    type Reply = RoleGranted;
}

/// Takes a role from a user, on behalf of the scope's user, who needs what [`GrantRole`] asks for. 404 when the user
/// does not hold it; 409 `iam.last_administrator` when nobody would be left to administer the tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawRole {
    /// Who loses it.
    pub user: UserId,
    /// The role.
    pub role: RoleId,
}

/// The answer to [`WithdrawRole`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleWithdrawn {
    /// The tenant's policy revision from which it is gone.
    pub revision: i64,
}

impl Call for WithdrawRole {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.withdraw_role";
    type Reply = RoleWithdrawn;
}

/// Asks whether the scope's user may do to another user what ends in working as them, or in taking or giving back all of
/// their rights. Nobody needs to ask for themselves.
///
/// Refused with 403 `iam.exceeds_own_rights` unless the caller holds, without end, everything that the user's roles give,
/// on the same rows, or [`WRITE_POLICY`]. [`Act::Archive`] also with 409 `iam.last_administrator` when nobody would be left
/// to administer the tenant; until the user's event arrives, for some minutes at most, the user then counts as gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MayActFor {
    /// The other user. Who holds no role may be acted for by everybody.
    pub user: UserId,
    /// What is to be done.
    pub act: Act,
}

/// What takes more than a permission when it is done to another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// Another sign-in name: who has it works as the user in the end, and has the user's own rows.
    ChangeSignInName,
    /// The user loses everything. As with roles, everybody has rows of their own.
    Archive,
    /// The user gets everything back, judged as [`Act::Archive`].
    Restore,
}

impl Call for MayActFor {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.may_act_for";
    type Reply = Done;
}

/// Lists the roles assigned to a user of the scope's tenant, past and future ones too. For services, not for users: the
/// caller's own rights are not asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolesOf {
    /// The user. An unknown one holds nothing.
    pub user: UserId,
}

/// The answer to [`RolesOf`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldRoles {
    /// The roles, by name, without inherited ones.
    pub roles: Vec<HeldRole>,
}

/// A role that is assigned to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldRole {
    /// The role.
    pub role_id: RoleId,
    /// The role's name.
    pub name: String,
    /// From when it holds; since ever unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, exclusive; for ever unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// When it was assigned.
    pub created_at: Timestamp,
    /// Who assigned it: a user's id, or the name of a system scope.
    pub created_by: String,
}

impl Call for RolesOf {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.roles_of";
    type Reply = HeldRoles;
}

/// Lists what a user of the scope's tenant may do now. For services, not for users: the caller's own rights are not
/// asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermissionsOf {
    /// The user. An unknown one holds nothing.
    pub user: UserId,
}

/// What a user may do: the answer to [`PermissionsOf`] and to `GET /api/iam/permissions/user/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserPermissions {
    /// The user.
    pub user_id: UserId,
    /// The policy's revision that decided.
    pub revision: i64,
    /// Names of the roles in force now, without inherited ones.
    pub roles: Vec<String>,
    /// The user's home branch.
    pub branch_id: Option<BranchId>,
    /// The permissions, in alphabetical order.
    pub permissions: Vec<EffectivePermission>,
}

/// A permission that a user holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectivePermission {
    /// `resource:action`.
    pub permission: String,
    /// The widest scope of rows: `own`, `team`, `branch`, `branchAndBelow`, `organization` or `all`.
    #[schemars(with = "Option<String>")]
    pub scope: Option<DataScope>,
    /// Whether it depends on the row: by the scope, or by a condition.
    pub depends_on_row: bool,
    /// The grants that give it.
    pub grants: Vec<Uuid>,
}

impl Call for PermissionsOf {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.permissions_of";
    type Reply = UserPermissions;
}
