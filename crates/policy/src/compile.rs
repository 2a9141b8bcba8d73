//! A tenant's policy, compiled: an immutable snapshot that decisions are read from.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use uuid::Uuid;

use crate::condition::Condition;
use crate::endpoint::EndpointRules;
use crate::error::CompileError;
use crate::model::{DataScope, Effect, Grant, TenantPolicy};
use crate::permission::{PermissionPattern, is_name};

/// The name under which `*` and `*:*` are interned.
const EVERYTHING: &str = "*:*";

/// Interned ids belong to one compilation; the generation tells compilations in this process apart, also two
/// drafts of one revision.
static NEXT_GENERATION: AtomicU64 = AtomicU64::new(1);

/// A policy ready to decide. Immutable: share it behind an `Arc` and swap it as a whole.
#[derive(Debug)]
pub struct CompiledPolicy {
    pub(crate) tenant: Uuid,
    pub(crate) revision: i64,
    pub(crate) generation: u64,
    pub(crate) roles: Vec<CompiledRole>,
    pub(crate) role_index: HashMap<Uuid, u32, RandomState>,
    pub(crate) permissions: Permissions,
    /// Sorted by role, permission, denials first, then widest and unconditional first.
    pub(crate) grants: Vec<CompiledGrant>,
    /// Where in `grants` the candidates of a (role, permission) are. The key is both ids in full.
    candidates: HashMap<(u32, u32), Range<u32>, RandomState>,
    endpoint_rules: EndpointRules,
}

#[derive(Debug)]
pub(crate) struct CompiledRole {
    pub(crate) name: Box<str>,
    pub(crate) parents: Box<[u32]>,
}

#[derive(Debug)]
pub(crate) struct CompiledGrant {
    pub(crate) id: Uuid,
    pub(crate) role: u32,
    pub(crate) permission: u32,
    pub(crate) effect: Effect,
    pub(crate) scope: DataScope,
    pub(crate) condition: Option<Box<Condition>>,
}

/// The interned permissions of a policy.
#[derive(Debug, Default)]
pub(crate) struct Permissions {
    pub(crate) names: Vec<Box<str>>,
    by_name: HashMap<Box<str>, u32, RandomState>,
    /// `resource` to the id of `resource:*`.
    whole_resources: HashMap<Box<str>, u32, RandomState>,
    everything: Option<u32>,
}

/// A permission looked up in one [`CompiledPolicy`], to spare the lookup in later decisions.
///
/// It is refused ([`Reason::OutOfDate`](crate::Reason::OutOfDate)) with any other compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermissionKey {
    pub(crate) generation: u64,
    /// The exact name, `resource:*` and `*:*`, those that some grant uses.
    pub(crate) ids: [Option<u32>; 3],
}

impl Permissions {
    fn intern(&mut self, text: &str) -> Option<u32> {
        let pattern = PermissionPattern::parse(text)?;
        let name = if pattern == PermissionPattern::Everything {
            EVERYTHING
        } else {
            text
        };
        if let Some(&id) = self.by_name.get(name) {
            return Some(id);
        }
        let id = u32::try_from(self.names.len()).ok()?;
        self.names.push(name.into());
        self.by_name.insert(name.into(), id);
        match pattern {
            PermissionPattern::Everything => self.everything = Some(id),
            PermissionPattern::Resource(resource) => {
                self.whole_resources.insert(resource.into(), id);
            }
            PermissionPattern::Exact { .. } => {}
        }
        Some(id)
    }

    /// The ids whose grants apply to a permission; none for a text that is not `resource:action`.
    fn resolve(&self, permission: &str) -> [Option<u32>; 3] {
        match permission.split_once(':') {
            Some((resource, action)) if is_name(resource) && is_name(action) => [
                self.by_name.get(permission).copied(),
                self.whole_resources.get(resource).copied(),
                self.everything,
            ],
            _ => [None; 3],
        }
    }
}

impl CompiledPolicy {
    /// Compiles a policy after checking its structure ([`TenantPolicy::validate`]). The types of conditions are
    /// checked when they are saved ([`validate`](crate::validate())); here a mistyped one is merely unknown.
    ///
    /// # Errors
    /// The problems, with JSON pointers.
    pub fn compile(policy: TenantPolicy) -> Result<Self, CompileError> {
        policy.validate()?;
        let endpoint_rules = EndpointRules::compile(&policy.endpoint_rules)?;
        let role_index: HashMap<Uuid, u32, RandomState> =
            policy.roles.iter().map(|role| role.id).zip(0..).collect();
        let roles = policy
            .roles
            .into_iter()
            .map(|role| CompiledRole {
                name: role.name.into(),
                parents: role
                    .parents
                    .iter()
                    .filter_map(|id| role_index.get(id).copied())
                    .collect(),
            })
            .collect();

        let mut permissions = Permissions::default();
        let mut grants: Vec<CompiledGrant> = policy
            .grants
            .into_iter()
            .filter_map(|grant| compile_grant(grant, &role_index, &mut permissions))
            .collect();
        grants.sort_by_key(|grant| {
            let widest_first = (
                Reverse(grant.effect),
                Reverse(grant.scope),
                grant.condition.is_some(),
            );
            (grant.role, grant.permission, widest_first, grant.id)
        });
        grants.shrink_to_fit();

        Ok(Self {
            tenant: policy.tenant,
            revision: policy.revision,
            generation: NEXT_GENERATION.fetch_add(1, Ordering::Relaxed),
            roles,
            role_index,
            permissions,
            candidates: index_candidates(&grants),
            grants,
            endpoint_rules,
        })
    }

    /// The tenant.
    pub fn tenant(&self) -> Uuid {
        self.tenant
    }

    /// The revision of the source.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The tenant's endpoint rules, to be laid over the platform's with [`EndpointRules::layered`].
    pub fn endpoint_rules(&self) -> &EndpointRules {
        &self.endpoint_rules
    }

    /// Looks a permission (`resource:action`, no wildcard) up once for many decisions.
    pub fn permission_key(&self, permission: &str) -> PermissionKey {
        PermissionKey {
            generation: self.generation,
            ids: self.permissions.resolve(permission),
        }
    }

    /// About how many bytes this snapshot holds, for a cache's budget.
    pub fn approximate_bytes(&self) -> usize {
        let conditions: usize = self
            .grants
            .iter()
            .filter_map(|grant| grant.condition.as_deref())
            .map(condition_bytes)
            .sum();
        let names: usize = self
            .permissions
            .names
            .iter()
            .map(|name| 2 * name.len() + 64)
            .sum();
        let roles: usize = self
            .roles
            .iter()
            .map(|role| 80 + role.name.len() + 4 * role.parents.len())
            .sum();
        size_of::<Self>()
            + self.grants.len() * size_of::<CompiledGrant>()
            + self.candidates.len() * 32
            + conditions
            + names
            + roles
            + self.endpoint_rules.approximate_bytes()
    }

    /// The grants a role itself holds for one interned permission, denials first.
    pub(crate) fn candidates(&self, role: u32, permission: u32) -> &[CompiledGrant] {
        self.candidates
            .get(&(role, permission))
            .and_then(|range| self.grants.get(range.start as usize..range.end as usize))
            .unwrap_or_default()
    }
}

fn compile_grant(
    grant: Grant,
    role_index: &HashMap<Uuid, u32, RandomState>,
    permissions: &mut Permissions,
) -> Option<CompiledGrant> {
    Some(CompiledGrant {
        id: grant.id,
        role: *role_index.get(&grant.role)?,
        permission: permissions.intern(&grant.permission)?,
        effect: grant.effect,
        scope: grant.scope,
        condition: grant.condition.map(Box::new),
    })
}

fn index_candidates(grants: &[CompiledGrant]) -> HashMap<(u32, u32), Range<u32>, RandomState> {
    let mut candidates: HashMap<(u32, u32), Range<u32>, RandomState> = HashMap::default();
    for (position, grant) in (0u32..).zip(grants) {
        candidates
            .entry((grant.role, grant.permission))
            .and_modify(|range| range.end = position + 1)
            .or_insert(position..position + 1);
    }
    candidates
}

fn condition_bytes(condition: &Condition) -> usize {
    let below = match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(condition_bytes).sum(),
        Condition::Not(part) => condition_bytes(part),
        // Names and short texts on the heap.
        Condition::Compare { .. } | Condition::IsNull(_) => 48,
        Condition::In { list, .. } => 32 + list.len() * 56,
    };
    size_of::<Condition>() + below
}
