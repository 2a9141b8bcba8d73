//! A subject's grants, compiled against one policy.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::compile::CompiledPolicy;
use crate::error::TenantMismatch;
use crate::model::SubjectGrants;
use crate::value::{Value, ValueRef};

/// What a user holds, with inheritance resolved into one sorted list of roles.
///
/// It belongs to the [`CompiledPolicy`] it was compiled against; with another one every answer is
/// [`Reason::OutOfDate`](crate::Reason::OutOfDate).
#[derive(Debug)]
pub struct CompiledSubject {
    pub(crate) user: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) revision: i64,
    pub(crate) generation: u64,
    /// Sorted by role; the periods of one role do not overlap.
    pub(crate) roles: Vec<HeldRole>,
    pub(crate) branch: Option<Uuid>,
    /// The branch and every branch below it; sorted, as the following two.
    pub(crate) branches_below: Vec<Uuid>,
    /// Never without the user.
    pub(crate) team_members: Vec<Uuid>,
    /// Never without `branches_below`.
    pub(crate) organization_branches: Vec<Uuid>,
    attributes: BTreeMap<String, Value>,
}

/// A role held during a period, in epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HeldRole {
    pub(crate) role: u32,
    /// Inclusive.
    pub(crate) from: i64,
    /// Exclusive, but `i64::MAX` is for ever.
    pub(crate) until: i64,
}

impl HeldRole {
    pub(crate) fn in_force(self, now_ms: i64) -> bool {
        self.from <= now_ms && (now_ms < self.until || self.until == i64::MAX)
    }
}

impl CompiledSubject {
    /// Compiles a subject's grants. An assignment of a role that the policy does not have gives nothing.
    ///
    /// # Errors
    /// When the grants are another tenant's.
    pub fn compile(policy: &CompiledPolicy, grants: SubjectGrants) -> Result<Self, TenantMismatch> {
        if grants.tenant != policy.tenant {
            return Err(TenantMismatch {
                policy: policy.tenant,
                grants: grants.tenant,
            });
        }
        let roles = flatten(policy, &grants);
        let branches_below = sorted(grants.branches_below, grants.branch);
        let organization_branches = sorted(grants.organization_branches, branches_below.iter().copied());
        let mut attributes = grants.attributes;
        for value in attributes.values_mut() {
            // PostgreSQL has no text with NUL, so such a value can equal nothing.
            if matches!(value, Value::Text(text) if text.contains('\0')) {
                *value = Value::Null;
            }
        }
        Ok(Self {
            user: grants.user,
            tenant: grants.tenant,
            revision: grants.revision,
            generation: policy.generation,
            roles,
            branch: grants.branch,
            branches_below,
            team_members: sorted(grants.team_members, [grants.user]),
            organization_branches,
            attributes,
        })
    }

    /// The user.
    pub fn user(&self) -> Uuid {
        self.user
    }

    /// The tenant.
    pub fn tenant(&self) -> Uuid {
        self.tenant
    }

    /// The revision of the assignments.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Whether this was compiled against exactly this policy.
    pub fn belongs_to(&self, policy: &CompiledPolicy) -> bool {
        self.generation == policy.generation
    }

    /// About how many bytes this holds, for a cache's budget.
    pub fn approximate_bytes(&self) -> usize {
        size_of::<Self>()
            + self.roles.len() * size_of::<HeldRole>()
            + (self.branches_below.len() + self.team_members.len() + self.organization_branches.len())
                * size_of::<Uuid>()
            + self.attributes.keys().map(|name| 96 + name.len()).sum::<usize>()
    }

    /// The value a condition sees as `subject.name`.
    pub(crate) fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            "id" => ValueRef::Uuid(self.user),
            "branch" => self.branch.into(),
            name => self.attributes.get(name).map_or(ValueRef::Null, Value::as_ref),
        }
    }
}

/// The ids of both, each once.
fn sorted(mut ids: Vec<Uuid>, more: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    ids.extend(more);
    ids.sort_unstable();
    ids.dedup();
    ids.shrink_to_fit();
    ids
}

/// Every role held, directly or by inheritance, with the periods merged.
fn flatten(policy: &CompiledPolicy, grants: &SubjectGrants) -> Vec<HeldRole> {
    // Assignments of the same period share one walk, so that many assignments cost no more than the roles.
    let mut by_period: HashMap<(i64, i64), Vec<u32>> = HashMap::new();
    for assignment in &grants.assignments {
        let from = assignment.valid_from.unwrap_or(i64::MIN);
        let until = assignment.valid_until.unwrap_or(i64::MAX);
        if let Some(&role) = policy.role_index.get(&assignment.role)
            && from < until
        {
            by_period.entry((from, until)).or_default().push(role);
        }
    }
    let mut held = Vec::new();
    for ((from, until), mut waiting) in by_period {
        let mut seen = std::collections::HashSet::new();
        while let Some(role) = waiting.pop() {
            if !seen.insert(role) {
                continue;
            }
            held.push(HeldRole { role, from, until });
            let parents = policy
                .roles
                .get(role as usize)
                .map(|role| &*role.parents)
                .unwrap_or_default();
            waiting.extend_from_slice(parents);
        }
    }
    held.sort_unstable();
    merge_periods(held)
}

/// Joins periods of one role that touch, so that at most one of them holds at any time.
fn merge_periods(sorted: Vec<HeldRole>) -> Vec<HeldRole> {
    let mut merged: Vec<HeldRole> = Vec::with_capacity(sorted.len());
    for held in sorted {
        match merged.last_mut() {
            Some(last) if last.role == held.role && held.from <= last.until => {
                last.until = last.until.max(held.until);
            }
            _ => merged.push(held),
        }
    }
    merged.shrink_to_fit();
    merged
}
