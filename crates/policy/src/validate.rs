//! Checks on a policy before it is saved.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::endpoint::EndpointRules;
use crate::error::{CompileError, Problem};
use crate::model::{Grant, Role, TenantPolicy};
use crate::permission::PermissionPattern;
use crate::schema::{Schemas, check_size};

/// Most grants of a tenant.
pub const MAX_GRANTS: usize = 1_000_000;
/// Most roles of a tenant.
pub const MAX_ROLES: usize = 100_000;
/// Longest name of a role, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// Checks everything: structure ([`TenantPolicy::validate`]) and the types of every condition.
///
/// A condition on `*` is checked against every schema, because it runs on every resource.
///
/// # Errors
/// Every problem found, with JSON pointers such as `/grants/3/condition/all/0/compare`.
pub fn validate(policy: &TenantPolicy, schemas: &Schemas) -> Result<(), CompileError> {
    policy.validate()?;
    let mut problems = Vec::new();
    for (index, grant) in policy.grants.iter().enumerate() {
        check_against_schemas(grant, &format!("/grants/{index}"), schemas, &mut problems);
    }
    CompileError::unless_empty(problems)
}

fn check_against_schemas(grant: &Grant, at: &str, schemas: &Schemas, problems: &mut Vec<Problem>) {
    let Some(pattern) = PermissionPattern::parse(&grant.permission) else {
        return;
    };
    let needed = grant.scope.attribute();
    match pattern.resource() {
        Some(resource) => {
            let nothing = crate::schema::Schema::new();
            let schema = schemas.get(resource);
            if let (Some(schema), Some(needed)) = (schema, needed)
                && schema.column(needed).is_none()
            {
                let message =
                    format!("\"{resource}\" has no column for \"{needed}\", so this scope matches no row");
                problems.push(Problem::new(format!("{at}/scope"), message));
            }
            if let Some(condition) = &grant.condition {
                problems.extend(
                    schema
                        .unwrap_or(&nothing)
                        .check(condition, &format!("{at}/condition")),
                );
            }
        }
        None => {
            let Some(condition) = &grant.condition else { return };
            for (resource, schema) in schemas {
                let found = schema.check(condition, &format!("{at}/condition"));
                problems.extend(found.into_iter().map(|problem| Problem {
                    message: format!(
                        "{} (for \"{resource}\", which the permission includes)",
                        problem.message
                    ),
                    ..problem
                }));
            }
        }
    }
}

impl TenantPolicy {
    /// Checks limits, ids, names, inheritance, permissions, condition sizes and endpoint patterns: what needs no
    /// schema. [`validate`] checks the types of conditions too.
    ///
    /// # Errors
    /// Every problem found, with JSON pointers.
    pub fn validate(&self) -> Result<(), CompileError> {
        let mut problems = Vec::new();
        if self.grants.len() > MAX_GRANTS {
            problems.push(Problem::new(
                "/grants",
                format!("a tenant has at most {MAX_GRANTS} grants"),
            ));
        }
        if self.roles.len() > MAX_ROLES {
            problems.push(Problem::new(
                "/roles",
                format!("a tenant has at most {MAX_ROLES} roles"),
            ));
        }
        CompileError::unless_empty(std::mem::take(&mut problems))?;

        check_roles(&self.roles, &mut problems);
        check_grants(self, &mut problems);
        if let Err(error) = EndpointRules::compile(&self.endpoint_rules) {
            problems.extend(error.problems);
        }
        CompileError::unless_empty(problems)
    }
}

fn check_roles(roles: &[Role], problems: &mut Vec<Problem>) {
    let mut index_of = HashMap::with_capacity(roles.len());
    let mut names = HashSet::with_capacity(roles.len());
    for (index, role) in roles.iter().enumerate() {
        if index_of.insert(role.id, index).is_some() {
            problems.push(Problem::new(
                format!("/roles/{index}/id"),
                "two roles have this id",
            ));
        }
        let name = role.name.as_str();
        let at = format!("/roles/{index}/name");
        if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS || name.contains(char::is_control)
        {
            let message = format!("a name has 1 to {MAX_NAME_CHARS} characters and no control characters");
            problems.push(Problem::new(at, message));
        } else if !names.insert(name) {
            problems.push(Problem::new(at, format!("two roles are named \"{name}\"")));
        }
    }
    for (index, role) in roles.iter().enumerate() {
        for (position, parent) in role.parents.iter().enumerate() {
            if !index_of.contains_key(parent) {
                let at = format!("/roles/{index}/parents/{position}");
                problems.push(Problem::new(at, format!("there is no role {parent}")));
            }
        }
    }
    if let Some(cycle) = find_cycle(roles, &index_of) {
        let names: Vec<&str> = cycle
            .iter()
            .filter_map(|index| roles.get(*index))
            .map(|role| role.name.as_str())
            .collect();
        let first = cycle.first().copied().unwrap_or_default();
        let message = format!("roles inherit from each other in a circle: {}", names.join(" → "));
        problems.push(Problem::new(format!("/roles/{first}/parents"), message));
    }
}

/// The indices of a circle, first repeated at the end. Iterative: inheritance may be as deep as there are roles.
fn find_cycle(roles: &[Role], index_of: &HashMap<Uuid, usize>) -> Option<Vec<usize>> {
    let mut done = vec![false; roles.len()];
    let mut position_on_path = HashMap::new();
    for start in 0..roles.len() {
        // Each entry: the role, and how many of its parents were looked at.
        let mut path: Vec<(usize, usize)> = Vec::new();
        if done.get(start) == Some(&false) {
            position_on_path.insert(start, 0);
            path.push((start, 0));
        }
        while let Some((role, looked_at)) = path.last_mut() {
            let role_index = *role;
            let parent = roles
                .get(role_index)
                .and_then(|role| role.parents.get(*looked_at));
            *looked_at += 1;
            let Some(parent) = parent else {
                if let Some(flag) = done.get_mut(role_index) {
                    *flag = true;
                }
                position_on_path.remove(&role_index);
                path.pop();
                continue;
            };
            let Some(&next) = index_of.get(parent) else {
                continue;
            };
            if let Some(&from) = position_on_path.get(&next) {
                let circle = path.iter().skip(from).map(|(index, _)| *index);
                return Some(circle.chain([next]).collect());
            }
            if done.get(next) == Some(&false) {
                position_on_path.insert(next, path.len());
                path.push((next, 0));
            }
        }
    }
    None
}

fn check_grants(policy: &TenantPolicy, problems: &mut Vec<Problem>) {
    let roles: HashSet<Uuid> = policy.roles.iter().map(|role| role.id).collect();
    let mut ids = HashSet::with_capacity(policy.grants.len());
    for (index, grant) in policy.grants.iter().enumerate() {
        if !ids.insert(grant.id) {
            problems.push(Problem::new(
                format!("/grants/{index}/id"),
                "two grants have this id",
            ));
        }
        if !roles.contains(&grant.role) {
            let message = format!("there is no role {}", grant.role);
            problems.push(Problem::new(format!("/grants/{index}/role"), message));
        }
        if PermissionPattern::parse(&grant.permission).is_none() {
            let message =
                "expected resource:action, resource:*, *:* or *, of letters, digits, \"_\", \"-\" and \".\"";
            problems.push(Problem::new(format!("/grants/{index}/permission"), message));
        }
        if let Some(condition) = &grant.condition {
            problems.extend(check_size(condition, &format!("/grants/{index}/condition")));
        }
    }
}
