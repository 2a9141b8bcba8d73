//! The records of the policy as the API shows them, and the rules for what may be written.

mod rule;

pub use rule::{MAX_RULES, Rule, RuleInput};

use crate::error::role_name_taken;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_kernel::{FieldError, Problem};
use stoa_policy::{Condition, DataScope, Effect, Schemas, TenantPolicy};
use stoa_types::{AssignmentId, BranchId, GrantId, RoleId, UserId};
use uuid::Uuid;

/// Longest name of a role, in characters.
pub const MAX_NAME: usize = 100;
/// Longest description of a role, in characters.
pub const MAX_DESCRIPTION: usize = 500;
/// The largest condition, in bytes of JSON: every process holds a tenant's grants in memory. A list of a thousand ids
/// fits.
pub const MAX_CONDITION_BYTES: usize = 64 << 10;
/// Most roles that one role inherits from directly.
pub const MAX_PARENTS: usize = 50;

/// A named set of grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name, unique in the tenant.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Roles whose grants this one has too.
    pub parents: Vec<RoleId>,
    /// Rises with every change; the ETag.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it: a user's id, or the name of a system scope.
    pub created_by: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: String,
}

/// What a client writes of a [`Role`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = serde_json::json!({"name": "auditor", "description": "Reads everything", "parents": []}))]
pub struct RoleInput {
    /// 1 to 100 characters, unique in the tenant.
    pub name: String,
    /// At most 500 characters.
    #[serde(default)]
    pub description: String,
    /// Roles to inherit from, at most 50; circles are refused.
    #[serde(default)]
    pub parents: Vec<RoleId>,
}

impl RoleInput {
    /// Checks the fields by themselves.
    ///
    /// # Errors
    /// 422 naming the fields.
    pub fn check(&self) -> Result<(), Problem> {
        let mut errors = Vec::new();
        let length = self.name.chars().count();
        if !(1..=MAX_NAME).contains(&length) || self.name.trim() != self.name {
            let detail = format!("must have 1 to {MAX_NAME} characters and no blanks around them");
            errors.push(FieldError::new("/name", "length", detail));
        } else if self.name.contains(char::is_control) {
            errors.push(FieldError::new(
                "/name",
                "format",
                "must have no control characters",
            ));
        }
        if self.description.chars().count() > MAX_DESCRIPTION {
            let detail = format!("must have at most {MAX_DESCRIPTION} characters");
            errors.push(FieldError::new("/description", "length", detail));
        }
        if self.parents.len() > MAX_PARENTS {
            let detail = format!("must have at most {MAX_PARENTS} entries");
            errors.push(FieldError::new("/parents", "length", detail));
        }
        refuse_if_any(errors)
    }

    /// Checks the role among all others of the tenant: its name is free, every parent exists, and there is no circle.
    ///
    /// # Errors
    /// 409 for the name; 422 at `/parents`, naming the roles of the circle.
    pub fn check_among(&self, id: RoleId, others: &[Role]) -> Result<(), Problem> {
        if others
            .iter()
            .any(|other| other.id != id && other.name == self.name)
        {
            return Err(role_name_taken());
        }
        let own = stoa_policy::Role {
            id: id.uuid(),
            name: self.name.clone(),
            parents: uuids(&self.parents),
        };
        let others = others.iter().filter(|other| other.id != id);
        let roles = std::iter::once(own).chain(others.map(Role::to_policy)).collect();
        let policy = TenantPolicy {
            roles,
            ..TenantPolicy::default()
        };
        // The own role stands first, but a circle may be reported at any role on it.
        let at = |pointer: &str| match pointer.strip_prefix("/roles/0/") {
            Some(field) => format!("/{field}"),
            None => "/parents".to_owned(),
        };
        policy
            .validate()
            .map_err(|error| invalid(&error.problems, "policy", at))
    }
}

impl Role {
    /// The decision engine's view.
    #[must_use]
    pub fn to_policy(&self) -> stoa_policy::Role {
        stoa_policy::Role {
            id: self.id.uuid(),
            name: self.name.clone(),
            parents: uuids(&self.parents),
        }
    }
}

/// What a role may or may not do, on which rows. Immutable: delete it and create another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Its id, which decisions name.
    pub id: GrantId,
    /// The role that holds it.
    pub role_id: RoleId,
    /// `resource:action`, `resource:*` or `*`.
    pub permission: String,
    /// A denial always wins.
    #[schemars(with = "String", extend("enum" = ["allow", "deny"]))]
    pub effect: Effect,
    /// The rows it is about.
    #[schemars(with = "String", extend("enum" = DataScope::EVERY))]
    pub scope: DataScope,
    /// A further test on each row.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub condition: Option<Condition>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
}

/// What a client writes of a [`Grant`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = serde_json::json!({"permission": "customers:read", "effect": "allow", "scope": "branchAndBelow"}))]
pub struct GrantInput {
    /// `resource:action`, `resource:*` or `*`.
    pub permission: String,
    /// Allow or deny; allow unless given.
    #[serde(default = "allow")]
    #[schemars(with = "String", extend("enum" = ["allow", "deny"]))]
    pub effect: Effect,
    /// The user's `own` rows, those of the user's `team`, those of the user's `branch`, with the branches below it
    /// (`branchAndBelow`) or with all of its `organization`, or `all`.
    #[schemars(with = "String", extend("enum" = DataScope::EVERY))]
    pub scope: DataScope,
    /// A further test on each row, such as
    /// `{"compare": {"left": {"resource": "status"}, "op": "eq", "right": {"literal": "lead"}}}`.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub condition: Option<Condition>,
}

fn allow() -> Effect {
    Effect::Allow
}

impl GrantInput {
    /// Checks the permission's form, and the scope and the condition against what the resources have.
    ///
    /// # Errors
    /// 422 with the pointer of the field or of the condition's node.
    pub fn check(&self, schemas: &Schemas) -> Result<(), Problem> {
        let condition = serde_json::to_string(&self.condition).unwrap_or_default();
        if condition.len() > MAX_CONDITION_BYTES || condition.contains("\\u0000") {
            let detail = format!("must have at most {MAX_CONDITION_BYTES} bytes as JSON and no NUL");
            return Err(Problem::invalid(vec![FieldError::new(
                "/condition",
                "length",
                detail,
            )]));
        }
        let role = Uuid::from_u128(1);
        let policy = TenantPolicy {
            roles: vec![stoa_policy::Role {
                id: role,
                name: "role".to_owned(),
                parents: Vec::new(),
            }],
            grants: vec![stoa_policy::Grant {
                id: Uuid::from_u128(2),
                role,
                permission: self.permission.clone(),
                effect: self.effect,
                scope: self.scope,
                condition: self.condition.clone(),
            }],
            ..TenantPolicy::default()
        };
        let at = |pointer: &str| pointer.strip_prefix("/grants/0").unwrap_or(pointer).to_owned();
        stoa_policy::validate(&policy, schemas).map_err(|error| invalid(&error.problems, "policy", at))
    }
}

/// A role that a user holds. Immutable: delete it and create another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Its id.
    pub id: AssignmentId,
    /// The user.
    pub user_id: UserId,
    /// The role.
    pub role_id: RoleId,
    /// The role's name.
    pub role: String,
    /// From when it holds; since ever unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, exclusive; for ever unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// The user's home branch, which is the same for all of the user's roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch_id: Option<BranchId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
}

/// What a client writes of an [`Assignment`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssignmentInput {
    /// The user.
    pub user_id: UserId,
    /// The role.
    pub role_id: RoleId,
    /// The user's home branch from now on, for all roles; unchanged unless given.
    #[serde(default)]
    pub branch_id: Option<BranchId>,
    /// From when it holds.
    #[serde(default)]
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, exclusive.
    #[serde(default)]
    pub valid_until: Option<Timestamp>,
}

impl AssignmentInput {
    /// Checks the period.
    ///
    /// # Errors
    /// 422 at `/validUntil`.
    pub fn check(&self) -> Result<(), Problem> {
        check_period(self.valid_from, self.valid_until)
    }
}

/// Checks that a period has a length.
///
/// # Errors
/// 422 at `/validUntil`.
pub(crate) fn check_period(from: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), Problem> {
    match (from, until) {
        (Some(from), Some(until)) if from >= until => Err(Problem::invalid(vec![FieldError::new(
            "/validUntil",
            "range",
            "must be later than validFrom",
        )])),
        _ => Ok(()),
    }
}

/// A user's home branch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HomeBranch {
    /// The branch; null for none.
    pub branch_id: Option<BranchId>,
}

/// A permission that a service asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CataloguedPermission {
    /// Its id, the same on every installation.
    pub id: Uuid,
    /// `resource:action`.
    pub name: String,
    /// The service that asks for it.
    pub service: String,
    /// What it allows.
    pub description: String,
}

/// One entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeEntry {
    /// Its id.
    pub id: Uuid,
    /// Its position: in the order in which changes took effect.
    pub seq: i64,
    /// The tenant's revision from which it holds.
    pub revision: i64,
    /// What happened, such as `role.created`.
    pub kind: String,
    /// What it happened to.
    pub entity_id: Option<Uuid>,
    /// The only user concerned, if there is one.
    pub user_id: Option<UserId>,
    /// Who did it: a user's id, or the name of a system scope.
    pub actor: String,
    /// What joins everything that one request led to.
    pub correlation_id: Uuid,
    /// The record before; absent when it was created.
    pub before: Option<serde_json::Value>,
    /// The record after; absent when it was deleted.
    pub after: Option<serde_json::Value>,
    /// When.
    pub at: Timestamp,
}

/// A record that was written, with the policy revision from which it holds.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Saved<T> {
    /// The record.
    #[serde(flatten)]
    pub record: T,
    /// The tenant's policy revision.
    pub revision: i64,
}

/// A write without a record to show.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The tenant's policy revision from which it holds.
    pub revision: i64,
}

fn uuids(ids: &[RoleId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

fn refuse_if_any(errors: Vec<FieldError>) -> Result<(), Problem> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(errors))
    }
}

/// The engine's problems as field errors, with pointers into the request's body.
fn invalid(problems: &[stoa_policy::Problem], rule: &str, at: impl Fn(&str) -> String) -> Problem {
    let mut errors: Vec<_> = problems
        .iter()
        .map(|problem| FieldError::new(at(&problem.pointer), rule, problem.message.clone()))
        .collect();
    errors.dedup();
    Problem::invalid(errors)
}

#[cfg(test)]
mod tests;
