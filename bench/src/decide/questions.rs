//! Random policies and questions: the same for every engine.
//!
//! Every question has ten candidates: the user holds a role and, through it, the role's parent, and each of the two has
//! five grants for each permission. One grant in ten denies, one in five has a condition, and the scopes are random.
//! Half of the questions are allowed, and no two are the same.

use anyhow::{Context as _, bail, ensure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::HashSet;
use stoa_policy::{
    Assignment, Attributes, BRANCH_ATTRIBUTE, CompareOp, CompiledPolicy, CompiledSubject, Condition, Context,
    DataScope, Effect, Grant, OWNER_ATTRIBUTE, Operand, Role, SubjectGrants, TenantPolicy, Value, ValueRef,
    decide,
};
use uuid::Uuid;

const GRANTS_PER_ROLE_AND_PERMISSION: usize = 5;
const STATUSES: [&str; 4] = ["lead", "active", "inactive", "lost"];
const BRANCHES_BELOW: usize = 8;
/// The time of every question.
pub const NOW_MS: i64 = 1_800_000_000_000;

/// A policy, its users and what is asked about them.
#[derive(Debug)]
pub struct World {
    /// The policy.
    pub policy: TenantPolicy,
    /// The users.
    pub subjects: Vec<SubjectGrants>,
    /// Permissions, `resource:action`.
    pub permissions: Vec<String>,
    /// The questions, in random order.
    pub questions: Vec<Question>,
}

/// May this user do this, to this resource?
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// Position in [`World::subjects`].
    pub subject: usize,
    /// Position in [`World::permissions`].
    pub permission: usize,
    /// The resource.
    pub resource: Resource,
}

/// A row, as a service would hand it over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Its owner.
    pub owner: Uuid,
    /// Its branch.
    pub branch: Uuid,
    /// Its status.
    pub status: &'static str,
}

impl Attributes for Resource {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            OWNER_ATTRIBUTE => ValueRef::Uuid(self.owner),
            BRANCH_ATTRIBUTE => ValueRef::Uuid(self.branch),
            "status" => ValueRef::Text(self.status),
            _ => ValueRef::Null,
        }
    }
}

/// How large a world is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Grants: a multiple of 1,000 times a square.
    pub rules: usize,
    /// Users.
    pub subjects: usize,
    /// Questions.
    pub questions: usize,
}

/// Makes the world that `seed` stands for.
///
/// # Errors
/// When the engine refuses the policy, or half of the questions cannot be made allowed.
pub fn world(size: Size, seed: u64) -> anyhow::Result<World> {
    let mut random = StdRng::seed_from_u64(seed);
    let breadth = ((size.rules as f64 / 1000.0).sqrt().round() as usize).max(1);
    let (roles, permissions) = (20 * breadth, permissions(10 * breadth));
    let policy = policy(&mut random, roles, &permissions);
    ensure!(
        policy.grants.len() == size.rules,
        "{} rules cannot be spread evenly",
        size.rules
    );
    let subjects: Vec<_> = (0..size.subjects)
        .map(|_| subject(&mut random, &policy))
        .collect();
    let questions = questions(&mut random, &policy, &subjects, &permissions, size.questions)?;
    Ok(World {
        policy,
        subjects,
        permissions,
        questions,
    })
}

fn permissions(count: usize) -> Vec<String> {
    let actions = ["read", "create", "update", "archive", "restore"];
    let names = (0..count).map(|n| {
        (
            n / actions.len(),
            actions.iter().cycle().nth(n).copied().unwrap_or("read"),
        )
    });
    names
        .map(|(resource, action)| format!("resource{resource}:{action}"))
        .collect()
}

/// The first half of the roles are children, each with a parent of its own in the second half.
fn policy(random: &mut StdRng, roles: usize, permissions: &[String]) -> TenantPolicy {
    let ids: Vec<Uuid> = (0..roles).map(|_| id(random)).collect();
    let parents = ids.iter().skip(roles / 2).map(|parent| vec![*parent]);
    let parents = parents.chain(std::iter::repeat(Vec::new()));
    let named = ids.iter().zip(parents).enumerate();
    let roles = named.map(|(number, (&id, parents))| Role {
        id,
        name: format!("role{number}"),
        parents,
    });
    let roles = roles.collect();
    let mut grants = Vec::new();
    for &role in &ids {
        for permission in permissions {
            grants.extend(grants_of(random, role, permission));
        }
    }
    TenantPolicy {
        tenant: id(random),
        revision: 1,
        roles,
        grants,
        endpoint_rules: Vec::new(),
    }
}

/// No two alike: an engine that keeps a set would hold fewer rules.
fn grants_of(random: &mut StdRng, role: Uuid, permission: &str) -> Vec<Grant> {
    let mut grants: Vec<Grant> = Vec::with_capacity(GRANTS_PER_ROLE_AND_PERMISSION);
    while grants.len() < GRANTS_PER_ROLE_AND_PERMISSION {
        let grant = Grant {
            id: id(random),
            role,
            permission: permission.to_owned(),
            effect: if random.random_bool(0.1) {
                Effect::Deny
            } else {
                Effect::Allow
            },
            scope: pick(
                random,
                &[DataScope::Own, DataScope::BranchAndBelow, DataScope::All],
            )
            .unwrap_or(DataScope::Own),
            condition: random.random_bool(0.2).then(|| status_is(random)),
        };
        let kind = |grant: &Grant| (grant.effect, grant.scope, grant.condition.clone());
        if !grants.iter().any(|other| kind(other) == kind(&grant)) {
            grants.push(grant);
        }
    }
    grants
}

fn status_is(random: &mut StdRng) -> Condition {
    let status = pick(random, &STATUSES).unwrap_or_default();
    Condition::Compare {
        left: Operand::Resource("status".to_owned()),
        op: CompareOp::Eq,
        right: Operand::Literal(Value::Text(status.to_owned())),
    }
}

/// Holds one of the roles that have a parent.
fn subject(random: &mut StdRng, policy: &TenantPolicy) -> SubjectGrants {
    let children = policy.roles.len() / 2;
    let role = policy
        .roles
        .get(random.random_range(0..children))
        .map(|role| role.id);
    let branch = id(random);
    let below: Vec<Uuid> = (0..BRANCHES_BELOW).map(|_| id(random)).collect();
    SubjectGrants {
        tenant: policy.tenant,
        user: id(random),
        revision: 1,
        assignments: role.map(always).into_iter().collect(),
        branch: Some(branch),
        branches_below: std::iter::once(branch).chain(below).collect(),
        ..SubjectGrants::default()
    }
}

fn always(role: Uuid) -> Assignment {
    Assignment {
        role,
        valid_from: None,
        valid_until: None,
    }
}

/// Draws until half are allowed and half are not.
fn questions(
    random: &mut StdRng,
    policy: &TenantPolicy,
    subjects: &[SubjectGrants],
    permissions: &[String],
    count: usize,
) -> anyhow::Result<Vec<Question>> {
    let engine = Engine::compile(policy.clone(), subjects.to_vec())?;
    let mut missing = [count / 2, count - count / 2];
    let mut questions = Vec::with_capacity(count);
    let mut seen = HashSet::new();
    for _ in 0..count.saturating_mul(1000) {
        if missing == [0, 0] {
            return Ok(questions);
        }
        let (subject, permission) = (
            random.random_range(0..subjects.len()),
            random.random_range(0..permissions.len()),
        );
        let resource = resource(random, subjects.get(subject).context("a subject")?);
        let question = Question {
            subject,
            permission,
            resource,
        };
        let name = permissions.get(permission).context("a permission")?;
        let allowed = engine.allows(subject, name, &question.resource)?;
        let Some(missing) = missing
            .get_mut(usize::from(allowed))
            .filter(|missing| **missing > 0)
        else {
            continue;
        };
        if seen.insert(question.clone()) {
            *missing -= 1;
            questions.push(question);
        }
    }
    bail!("half of the questions cannot be made allowed: {missing:?} of {count} are missing")
}

/// Three in ten are the subject's own, half are in its branches.
fn resource(random: &mut StdRng, subject: &SubjectGrants) -> Resource {
    let owner = if random.random_bool(0.3) {
        subject.user
    } else {
        id(random)
    };
    let branch = pick(random, &subject.branches_below).filter(|_| random.random_bool(0.5));
    Resource {
        owner,
        branch: branch.unwrap_or_else(|| id(random)),
        status: pick(random, &STATUSES).unwrap_or_default(),
    }
}

fn pick<T: Copy>(random: &mut StdRng, from: &[T]) -> Option<T> {
    from.choose(random).copied()
}

fn id(random: &mut StdRng) -> Uuid {
    Uuid::from_u128(random.random())
}

/// Stoa's engine with a policy and its users loaded.
#[derive(Debug)]
pub struct Engine {
    /// The policy.
    pub policy: CompiledPolicy,
    /// The users, in the order of [`World::subjects`].
    pub subjects: Vec<CompiledSubject>,
}

impl Engine {
    /// Compiles both.
    ///
    /// # Errors
    /// When the policy is refused.
    pub fn compile(policy: TenantPolicy, subjects: Vec<SubjectGrants>) -> anyhow::Result<Self> {
        let policy = CompiledPolicy::compile(policy)?;
        let subjects = subjects
            .into_iter()
            .map(|grants| CompiledSubject::compile(&policy, grants));
        let subjects = subjects.collect::<Result<_, _>>()?;
        Ok(Self { policy, subjects })
    }

    /// The decision.
    ///
    /// # Errors
    /// When there is no such subject.
    pub fn allows(&self, subject: usize, permission: &str, resource: &Resource) -> anyhow::Result<bool> {
        let subject = self.subjects.get(subject).context("no such subject")?;
        Ok(decide(
            &self.policy,
            subject,
            permission,
            Some(resource),
            &Context::at(NOW_MS),
        )
        .allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_policy::explain;

    #[test]
    fn half_of_the_questions_are_allowed_and_each_has_ten_candidates() {
        let size = Size {
            rules: 1000,
            subjects: 50,
            questions: 200,
        };
        let world = world(size, 1).expect("a world");
        let engine = Engine::compile(world.policy.clone(), world.subjects.clone()).expect("compiled");
        let mut allowed = 0;
        for Question {
            subject,
            permission,
            resource,
        } in &world.questions
        {
            let name = &world.permissions[*permission];
            let at = Context::at(NOW_MS);
            let explanation = explain(
                &engine.policy,
                &engine.subjects[*subject],
                name,
                Some(resource),
                &at,
            );
            assert_eq!(explanation.considered.len(), 10);
            allowed += usize::from(explanation.decision.allowed);
        }
        assert_eq!((allowed, world.questions.len()), (100, 200));
    }
}
