//! The source form of a tenant's policy and of a subject's grants: what is stored, sent and edited.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::condition::Condition;
use crate::value::Value;

/// The resource attribute that holds the owner's user id, for [`DataScope::Own`] and [`DataScope::Team`].
pub const OWNER_ATTRIBUTE: &str = "ownerId";
/// The resource attribute that holds the branch, for [`DataScope::Branch`], [`DataScope::BranchAndBelow`] and
/// [`DataScope::Organization`].
pub const BRANCH_ATTRIBUTE: &str = "branchId";

/// Everything one tenant decides by, at one revision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantPolicy {
    /// The tenant this policy belongs to.
    pub tenant: Uuid,
    /// Rises by one with every saved change.
    pub revision: i64,
    /// The roles; at most [`MAX_ROLES`](crate::MAX_ROLES).
    #[serde(default)]
    pub roles: Vec<Role>,
    /// What the roles may and may not do; at most [`MAX_GRANTS`](crate::MAX_GRANTS).
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// The tenant's own endpoint rules, laid over the platform's.
    #[serde(default)]
    pub endpoint_rules: Vec<EndpointRule>,
}

/// A named set of grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique in the tenant.
    pub name: String,
    /// Roles whose grants, allow and deny, this role has too.
    #[serde(default)]
    pub parents: Vec<Uuid>,
}

/// One rule: what a role may or may not do, on which rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Its id, named by every decision it determines.
    pub id: Uuid,
    /// The role that holds it.
    pub role: Uuid,
    /// `resource:action`, `resource:*`, `*:*` or `*`.
    pub permission: String,
    /// Whether it allows or refuses; a refusal always wins.
    pub effect: Effect,
    /// The rows it is about.
    pub scope: DataScope,
    /// A further test; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Permits what it matches.
    Allow,
    /// Refuses what it matches, whatever else permits it.
    Deny,
}

/// The rows a grant is about, narrowest first.
///
/// The order says which of two is the wider one to name, as in [`Decision::scope`](crate::Decision). It is not
/// inclusion: `own` and `team` ask for a row's owner, `branch` to `organization` for its branch, and no row need be in
/// both, so `team` and `branch` cannot be compared. [`DataScope::includes`] says what is inside what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DataScope {
    /// Rows whose `ownerId` is the subject.
    Own,
    /// Rows whose `ownerId` is the subject or shares a live team with the subject.
    Team,
    /// Rows whose `branchId` is the subject's branch.
    Branch,
    /// Rows whose `branchId` is the subject's branch or one below it.
    BranchAndBelow,
    /// Rows whose `branchId` is any branch of the organization of the subject's branch.
    Organization,
    /// Every row of the tenant.
    All,
}

impl DataScope {
    /// Every scope, narrowest first.
    pub const EVERY: [Self; 6] = [
        Self::Own,
        Self::Team,
        Self::Branch,
        Self::BranchAndBelow,
        Self::Organization,
        Self::All,
    ];

    /// The name, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Team => "team",
            Self::Branch => "branch",
            Self::BranchAndBelow => "branchAndBelow",
            Self::Organization => "organization",
            Self::All => "all",
        }
    }

    /// The attribute of a row that the scope asks for; `None` when it asks for nothing.
    #[must_use]
    pub const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Own | Self::Team => Some(OWNER_ATTRIBUTE),
            Self::Branch | Self::BranchAndBelow | Self::Organization => Some(BRANCH_ATTRIBUTE),
            Self::All => None,
        }
    }

    /// Whether, for every subject, each row in `other` is in this scope too.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        match self {
            Self::Own | Self::Branch => self == other,
            Self::Team => other.attribute() == Some(OWNER_ATTRIBUTE),
            Self::BranchAndBelow => matches!(other, Self::Branch | Self::BranchAndBelow),
            Self::Organization => other.attribute() == Some(BRANCH_ATTRIBUTE),
            Self::All => true,
        }
    }
}

/// What a caller of an endpoint must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointRule {
    /// Its id.
    pub id: Uuid,
    /// `/api/customers/{id}` or `/assets/**`: literal segments, `{name}` for one segment, `**` for the rest.
    pub pattern: String,
    /// HTTP methods; empty means any.
    #[serde(default)]
    pub methods: Vec<String>,
    /// What is asked of the caller.
    pub requirement: Requirement,
}

/// What an endpoint asks of its caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Requirement {
    /// Nothing.
    Public,
    /// A valid identity.
    Authenticated,
    /// A valid identity with this permission.
    Permission(String),
}

/// What one user holds in one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectGrants {
    /// The tenant.
    pub tenant: Uuid,
    /// The user.
    pub user: Uuid,
    /// The revision of the assignments.
    pub revision: i64,
    /// The roles the user holds, and when.
    #[serde(default)]
    pub assignments: Vec<Assignment>,
    /// The user's branch.
    #[serde(default)]
    pub branch: Option<Uuid>,
    /// The user's branch and every branch below it.
    #[serde(default)]
    pub branches_below: Vec<Uuid>,
    /// Everybody who shares a live team with the user. The user belongs to it, named or not.
    #[serde(default)]
    pub team_members: Vec<Uuid>,
    /// Every branch of the organization of the user's branch. `branches_below` belong to it, named or not.
    #[serde(default)]
    pub organization_branches: Vec<Uuid>,
    /// What conditions may ask as `subject`, besides `id` and `branch`.
    #[serde(default)]
    pub attributes: BTreeMap<String, Value>,
}

/// A role held by a user from `valid_from` (inclusive) until `valid_until` (exclusive).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// The role.
    pub role: Uuid,
    /// Epoch milliseconds, inclusive; absent means since ever.
    #[serde(default)]
    pub valid_from: Option<i64>,
    /// Epoch milliseconds, exclusive; absent means for ever.
    #[serde(default)]
    pub valid_until: Option<i64>,
}
