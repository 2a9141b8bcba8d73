//! What a new tenant starts with.

use crate::model::{Grant, Role};
use jiff::Timestamp;
use stoa_policy::{DataScope, Effect};
use stoa_types::{GrantId, RoleId};

/// A role by name, its parent among those before, and what it may do.
struct Template {
    name: &'static str,
    description: &'static str,
    parent: Option<&'static str>,
    grants: &'static [(&'static str, DataScope)],
}

/// In an order in which a parent comes first.
const TEMPLATES: [Template; 3] = [
    Template {
        name: "representative",
        description: "Works with their own customers",
        parent: None,
        grants: &[
            ("customers:read", DataScope::Own),
            ("customers:create", DataScope::Own),
            ("customers:update", DataScope::Own),
            ("customers:archive", DataScope::Own),
            ("contacts:read", DataScope::Own),
            ("contacts:create", DataScope::Own),
            ("contacts:update", DataScope::Own),
            ("contacts:archive", DataScope::Own),
            ("interactions:read", DataScope::Own),
            ("interactions:create", DataScope::Own),
            ("interactions:update", DataScope::Own),
            ("interactions:archive", DataScope::Own),
            ("organizations:read", DataScope::All),
            ("branches:read", DataScope::All),
            ("users:read", DataScope::All),
            ("teams:read", DataScope::All),
        ],
    },
    Template {
        name: "manager",
        description: "Sees and works with all customers of their branch and the branches below it",
        parent: Some("representative"),
        grants: &[
            ("customers:*", DataScope::BranchAndBelow),
            ("contacts:*", DataScope::BranchAndBelow),
            ("interactions:*", DataScope::BranchAndBelow),
        ],
    },
    Template {
        name: "admin",
        description: "May do everything in the tenant",
        parent: None,
        grants: &[("*", DataScope::All)],
    },
];

/// The first roles with their grants, in an order in which they can be inserted.
pub(crate) fn roles(now: Timestamp, actor: &str) -> Vec<(Role, Vec<Grant>)> {
    let mut made: Vec<(Role, Vec<Grant>)> = Vec::new();
    for template in &TEMPLATES {
        let parents = made
            .iter()
            .filter(|(role, _)| Some(role.name.as_str()) == template.parent)
            .map(|(role, _)| role.id)
            .collect();
        let id = RoleId::new();
        let grants = template.grants.iter().map(|(permission, scope)| Grant {
            id: GrantId::new(),
            role_id: id,
            permission: (*permission).to_owned(),
            effect: Effect::Allow,
            scope: *scope,
            condition: None,
            created_at: now,
            created_by: actor.to_owned(),
        });
        let role = Role {
            id,
            name: template.name.to_owned(),
            description: template.description.to_owned(),
            parents,
            version: 1,
            created_at: now,
            created_by: actor.to_owned(),
            updated_at: now,
            updated_by: actor.to_owned(),
        };
        made.push((role, grants.collect()));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_policy::{
        Assignment, CompiledPolicy, CompiledSubject, Context, SubjectGrants, TenantPolicy, Value, decide,
    };
    use uuid::Uuid;

    /// May the holder of `role` at `branches[0]` read a customer of `owner` in `branch`?
    fn reads(role: &str, branches: &[Uuid], user: Uuid, owner: Uuid, branch: Uuid) -> bool {
        let tenant = Uuid::from_u128(9);
        let made = roles(Timestamp::UNIX_EPOCH, "test");
        let held = made.iter().find(|(r, _)| r.name == role).unwrap().0.id.uuid();
        let policy = TenantPolicy {
            tenant,
            revision: 1,
            roles: made.iter().map(|(role, _)| role.to_policy()).collect(),
            grants: made
                .iter()
                .flat_map(|(_, grants)| grants)
                .map(|grant| stoa_policy::Grant {
                    id: grant.id.uuid(),
                    role: grant.role_id.uuid(),
                    permission: grant.permission.clone(),
                    effect: grant.effect,
                    scope: grant.scope,
                    condition: None,
                })
                .collect(),
            endpoint_rules: Vec::new(),
        };
        let policy = CompiledPolicy::compile(policy).unwrap();
        let grants = SubjectGrants {
            tenant,
            user,
            branch: branches.first().copied(),
            branches_below: branches.to_vec(),
            assignments: vec![Assignment {
                role: held,
                valid_from: None,
                valid_until: None,
            }],
            ..SubjectGrants::default()
        };
        let subject = CompiledSubject::compile(&policy, grants).unwrap();
        let row = [("ownerId", Value::Uuid(owner)), ("branchId", Value::Uuid(branch))];
        decide(&policy, &subject, "customers:read", Some(&row), &Context::at(0)).allowed
    }

    // covers: AZ-01
    #[test]
    fn a_manager_sees_both_branches_and_a_representative_only_their_own() {
        let [head, north, south] = [1, 2, 3].map(Uuid::from_u128);
        let [alice, bob, manager] = [11, 12, 13].map(Uuid::from_u128);
        let all = [head, north, south];
        for (owner, branch) in [(alice, north), (bob, south)] {
            assert!(reads("manager", &all, manager, owner, branch));
        }
        assert!(reads("representative", &[north], alice, alice, north));
        assert!(!reads("representative", &[north], alice, bob, south));
        assert!(!reads("representative", &[north], alice, bob, north));
        assert!(reads("admin", &[], Uuid::nil(), bob, south));
    }
}
