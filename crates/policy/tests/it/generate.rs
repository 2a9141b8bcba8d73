//! Random policies, subjects and rows from a seed; no dependency but the crate itself, so that the test against
//! PostgreSQL can include this file too (see [`CREATE_ROWS`] and [`World::schema`]).
#![allow(dead_code)]

use std::collections::BTreeMap;

use stoa_policy::*;
use uuid::Uuid;

/// The table that [`World::schema`] describes. `amount` is an int4 on purpose, and `status` is not collated "C".
pub(crate) const CREATE_ROWS: &str = "create table rows (id int primary key, owner_id uuid, branch_id uuid, status text, \
     note varchar(40), amount integer, big bigint, vip boolean)";

/// The attributes of a row, in the order of the columns after `id` in [`CREATE_ROWS`].
pub(crate) const ROW_ATTRIBUTES: [&str; 7] =
    ["ownerId", "branchId", "status", "note", "amount", "big", "vip"];

pub(crate) const PERMISSIONS: [&str; 4] = [
    "customers:read",
    "customers:update",
    "orders:read",
    "files:delete",
];
const GRANTED: [&str; 7] = [
    "customers:read",
    "customers:update",
    "customers:*",
    "orders:read",
    "orders:*",
    "*:*",
    "*",
];
const TEXTS: [&str; 8] = ["", "open", "Open", "closed", "zeta", "Äther", "ähnlich", "a b"];
const KINDS: [AttributeType; 4] = [
    AttributeType::Bool,
    AttributeType::Int,
    AttributeType::Text,
    AttributeType::Uuid,
];

pub(crate) type Row = BTreeMap<String, Value>;

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// One of few ids, so that they meet.
    pub(crate) fn id(&mut self) -> Uuid {
        small_id(self.below(5))
    }

    pub(crate) fn value(&mut self, kind: AttributeType) -> Value {
        match kind {
            AttributeType::Bool => Value::Bool(self.chance(50)),
            AttributeType::Int => Value::Int(self.below(5) as i64 - 2),
            AttributeType::Text => Value::Text(self.pick(&TEXTS).to_owned()),
            AttributeType::Uuid => Value::Uuid(self.id()),
        }
    }

    fn nullable(&mut self, kind: AttributeType) -> Value {
        if self.chance(20) {
            Value::Null
        } else {
            self.value(kind)
        }
    }
}

pub(crate) fn small_id(n: usize) -> Uuid {
    Uuid::from_u128(0x1000 + n as u128)
}

fn role_id(n: usize) -> Uuid {
    Uuid::from_u128(0x2000 + n as u128)
}

/// A policy, a subject and rows to ask about.
pub(crate) struct World {
    pub(crate) policy: TenantPolicy,
    pub(crate) grants: SubjectGrants,
    pub(crate) rows: Vec<Row>,
    pub(crate) request: BTreeMap<String, Value>,
    pub(crate) now_ms: i64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let random = &mut Random(seed);
        let roles = 1 + random.below(6);
        let policy = TenantPolicy {
            tenant: Uuid::from_u128(1),
            revision: 3,
            roles: (0..roles).map(|n| role(random, n)).collect(),
            grants: (0..2 + random.below(14))
                .map(|n| grant(random, n, roles))
                .collect(),
            endpoint_rules: Vec::new(),
        };
        let rows = (0..12).map(|_| row(random)).collect();
        let request = BTreeMap::from([("channel".to_owned(), random.nullable(AttributeType::Text))]);
        Self {
            policy,
            grants: subject(random, roles),
            rows,
            request,
            now_ms: 100,
        }
    }

    pub(crate) fn schema() -> Schema {
        Schema::with_owner_and_branch("owner_id", "branch_id")
            .with("status", AttributeType::Text, "status")
            .with("note", AttributeType::Text, "note")
            .with("amount", AttributeType::Int, "amount")
            .with("big", AttributeType::Int, "big")
            .with("vip", AttributeType::Bool, "vip")
            .with_subject("team", AttributeType::Text)
            .with_subject("limit", AttributeType::Int)
            .with_context("channel", AttributeType::Text)
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context::at(self.now_ms)
            .with_ip("10.0.0.1")
            .with_attributes(&self.request)
    }

    pub(crate) fn compile(&self) -> (CompiledPolicy, CompiledSubject) {
        let policy = CompiledPolicy::compile(self.policy.clone()).unwrap();
        let subject = CompiledSubject::compile(&policy, self.grants.clone()).unwrap();
        (policy, subject)
    }
}

fn role(random: &mut Random, n: usize) -> Role {
    // Only earlier roles are parents, so there is no circle.
    let parents = (0..n).filter(|_| random.chance(30)).map(role_id).collect();
    Role {
        id: role_id(n),
        name: format!("role {n}"),
        parents,
    }
}

fn grant(random: &mut Random, n: usize, roles: usize) -> Grant {
    Grant {
        id: Uuid::from_u128(0x3000 + n as u128),
        role: role_id(random.below(roles)),
        permission: random.pick(&GRANTED).to_owned(),
        effect: if random.chance(25) {
            Effect::Deny
        } else {
            Effect::Allow
        },
        scope: random.pick(&DataScope::EVERY),
        condition: random.chance(60).then(|| condition(random, 3)),
    }
}

fn subject(random: &mut Random, roles: usize) -> SubjectGrants {
    let assignments = (0..1 + random.below(4)).map(|_| Assignment {
        role: role_id(random.below(roles)),
        valid_from: random.pick(&[None, None, None, Some(50), Some(100), Some(150)]),
        valid_until: random.pick(&[None, None, None, Some(60), Some(100), Some(200)]),
    });
    let assignments = assignments.collect();
    let mut ids = || (0..random.below(3)).map(|_| random.id()).collect();
    let (branches_below, team_members, organization_branches) = (ids(), ids(), ids());
    // Sometimes absent, null or of a type that the schema does not say.
    let mut attributes = BTreeMap::new();
    for (name, kind) in [("team", AttributeType::Text), ("limit", AttributeType::Int)] {
        let kind = if random.chance(10) {
            random.pick(&KINDS)
        } else {
            kind
        };
        if random.chance(80) {
            attributes.insert(name.to_owned(), random.nullable(kind));
        }
    }
    SubjectGrants {
        tenant: Uuid::from_u128(1),
        user: random.id(),
        revision: 1,
        assignments,
        branch: random.chance(70).then(|| random.id()),
        branches_below,
        team_members,
        organization_branches,
        attributes,
    }
}

fn row(random: &mut Random) -> Row {
    let schema = World::schema();
    ROW_ATTRIBUTES
        .map(|name| (name.to_owned(), random.nullable(schema.resource[name].kind)))
        .into()
}

/// Mostly well typed; sometimes with nulls and mixed types, which are unknown in both back ends.
pub(crate) fn condition(random: &mut Random, depth: usize) -> Condition {
    let kind = random.pick(&KINDS);
    let other = if random.chance(8) {
        random.pick(&KINDS)
    } else {
        kind
    };
    match random.below(if depth == 0 { 4 } else { 7 }) {
        0 | 1 => {
            let op = random.pick(&[
                CompareOp::Eq,
                CompareOp::Ne,
                CompareOp::Lt,
                CompareOp::Le,
                CompareOp::Gt,
                CompareOp::Ge,
            ]);
            Condition::Compare {
                left: operand(random, kind),
                op,
                right: operand(random, other),
            }
        }
        2 => {
            let list = (0..random.below(4)).map(|_| random.nullable(other)).collect();
            Condition::In {
                operand: operand(random, kind),
                list,
            }
        }
        3 => Condition::IsNull(operand(random, kind)),
        4 => Condition::Not(Box::new(condition(random, depth - 1))),
        5 => Condition::All(
            (0..random.below(4))
                .map(|_| condition(random, depth - 1))
                .collect(),
        ),
        _ => Condition::Any(
            (0..random.below(4))
                .map(|_| condition(random, depth - 1))
                .collect(),
        ),
    }
}

fn operand(random: &mut Random, kind: AttributeType) -> Operand {
    let (resource, subject, context): (&[&str], _, _) = match kind {
        AttributeType::Bool => (&["vip"], "absent", "absent"),
        AttributeType::Int => (&["amount", "big"], "limit", "now"),
        AttributeType::Text => (&["status", "note"], "team", "channel"),
        AttributeType::Uuid => (&["ownerId", "branchId"], random.pick(&["id", "branch"]), "absent"),
    };
    match random.below(10) {
        0..=4 => Operand::Resource(random.pick(resource).to_owned()),
        5 | 6 => Operand::Subject(subject.to_owned()),
        7 => Operand::Context(context.to_owned()),
        _ => Operand::Literal(random.nullable(kind)),
    }
}
