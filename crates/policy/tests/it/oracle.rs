//! The decision written down naively: every grant is looked at, nothing is compiled.

use std::collections::HashSet;

use stoa_policy::*;
use uuid::Uuid;

use crate::generate::{Row, World};

/// SQL's truth values: `None` is unknown.
pub(crate) type Tri = Option<bool>;

fn and(parts: impl IntoIterator<Item = Tri>) -> Tri {
    let parts: Vec<Tri> = parts.into_iter().collect();
    if parts.contains(&Some(false)) {
        Some(false)
    } else if parts.contains(&None) {
        None
    } else {
        Some(true)
    }
}

fn not(part: Tri) -> Tri {
    part.map(|truth| !truth)
}

fn or(parts: impl IntoIterator<Item = Tri>) -> Tri {
    not(and(parts.into_iter().map(not)))
}

fn compare(left: &Value, op: CompareOp, right: &Value) -> Tri {
    if *left == Value::Null || std::mem::discriminant(left) != std::mem::discriminant(right) {
        return None;
    }
    Some(match op {
        CompareOp::Eq => left == right,
        CompareOp::Ne => left != right,
        CompareOp::Lt => left < right,
        CompareOp::Le => left <= right,
        CompareOp::Gt => left > right,
        CompareOp::Ge => left >= right,
    })
}

fn operand(world: &World, row: &Row, operand: &Operand) -> Value {
    let found = match operand {
        Operand::Literal(value) => Some(value.clone()),
        Operand::Resource(name) => row.get(name).cloned(),
        Operand::Subject(name) if name == "id" => Some(Value::Uuid(world.grants.user)),
        Operand::Subject(name) if name == "branch" => world.grants.branch.map(Value::Uuid),
        Operand::Subject(name) => world.grants.attributes.get(name).cloned(),
        Operand::Context(name) if name == "now" => Some(Value::Int(world.now_ms)),
        Operand::Context(name) => world.request.get(name).cloned(),
    };
    found.unwrap_or_default()
}

pub(crate) fn condition(world: &World, row: &Row, tree: &Condition) -> Tri {
    match tree {
        Condition::All(parts) => and(parts.iter().map(|part| condition(world, row, part))),
        Condition::Any(parts) => or(parts.iter().map(|part| condition(world, row, part))),
        Condition::Not(part) => not(condition(world, row, part)),
        Condition::Compare { left, op, right } => {
            compare(&operand(world, row, left), *op, &operand(world, row, right))
        }
        Condition::In { operand: of, list } => {
            let value = operand(world, row, of);
            or(list.iter().map(|entry| compare(&value, CompareOp::Eq, entry)))
        }
        Condition::IsNull(of) => Some(operand(world, row, of) == Value::Null),
    }
}

pub(crate) fn scope(world: &World, row: &Row, scope: DataScope) -> Tri {
    let value = |name: &str| row.get(name).cloned().unwrap_or_default();
    let is_one_of = |name: &str, ids: &[&[Uuid]]| {
        let ids = ids.iter().copied().flatten();
        or(ids.map(|id| compare(&value(name), CompareOp::Eq, &Value::Uuid(*id))))
    };
    let subject = &world.grants;
    let (me, branch) = (&[subject.user][..], subject.branch.as_slice());
    match scope {
        DataScope::All => Some(true),
        DataScope::Own => is_one_of("ownerId", &[me]),
        DataScope::Team => is_one_of("ownerId", &[me, &subject.team_members]),
        DataScope::Branch => is_one_of("branchId", &[branch]),
        DataScope::BranchAndBelow => is_one_of("branchId", &[branch, &subject.branches_below]),
        DataScope::Organization => is_one_of(
            "branchId",
            &[branch, &subject.branches_below, &subject.organization_branches],
        ),
    }
}

fn roles_now(world: &World) -> HashSet<Uuid> {
    let mut held: HashSet<Uuid> = world
        .grants
        .assignments
        .iter()
        .filter(|a| a.valid_from.is_none_or(|from| from <= world.now_ms))
        .filter(|a| a.valid_until.is_none_or(|until| world.now_ms < until))
        .map(|a| a.role)
        .collect();
    loop {
        let parents = world
            .policy
            .roles
            .iter()
            .filter(|role| held.contains(&role.id))
            .flat_map(|r| &r.parents);
        let more: Vec<Uuid> = parents.filter(|parent| !held.contains(parent)).copied().collect();
        if more.is_empty() {
            return held;
        }
        held.extend(more);
    }
}

fn covers(granted: &str, asked: &str) -> bool {
    let resource = asked.split(':').next().unwrap();
    granted == asked || granted == "*" || granted == "*:*" || granted == format!("{resource}:*")
}

pub(crate) fn allowed(world: &World, permission: &str, row: Option<&Row>) -> bool {
    let held = roles_now(world);
    let candidates: Vec<&Grant> = world
        .policy
        .grants
        .iter()
        .filter(|grant| held.contains(&grant.role) && covers(&grant.permission, permission))
        .collect();
    let applies = |grant: &Grant| match row {
        Some(row) => and([
            scope(world, row, grant.scope),
            grant
                .condition
                .as_ref()
                .map_or(Some(true), |tree| condition(world, row, tree)),
        ]),
        None => match (grant.effect, grant.scope, &grant.condition) {
            (Effect::Deny, DataScope::All, None) | (Effect::Allow, ..) => Some(true),
            _ => Some(false),
        },
    };
    let denied = candidates
        .iter()
        .any(|g| g.effect == Effect::Deny && applies(g) != Some(false));
    !denied
        && candidates
            .iter()
            .any(|g| g.effect == Effect::Allow && applies(g) == Some(true))
}
