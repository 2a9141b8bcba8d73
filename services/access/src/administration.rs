//! Keeps a tenant administrable: the last user who holds `iam:write` cannot be made to lose it.

use crate::model::{Grant, Role};
use std::collections::{BTreeSet, HashMap};
use stoa_policy::Effect;
use stoa_types::RoleId;

/// The permission without which nobody could repair a policy.
pub(crate) const ADMINISTER: &str = "iam:write";
/// The forms of a grant that cover [`ADMINISTER`].
pub(crate) const COVERING: [&str; 4] = [ADMINISTER, "iam:*", "*:*", "*"];

/// The roles that give `iam:write` without a condition, and those that may take it away, inheritance included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Administration {
    pub(crate) allowing: BTreeSet<RoleId>,
    pub(crate) denying: BTreeSet<RoleId>,
}

impl Administration {
    /// Works out both sets from all roles and the grants that cover `iam:write`.
    pub(crate) fn of(roles: &[Role], grants: &[Grant]) -> Self {
        let mut children: HashMap<RoleId, Vec<RoleId>> = HashMap::new();
        for role in roles {
            for parent in &role.parents {
                children.entry(*parent).or_default().push(role.id);
            }
        }
        let with_heirs = |wanted: &dyn Fn(&Grant) -> bool| {
            let mut found = BTreeSet::new();
            let holds = grants
                .iter()
                .filter(|grant| covers(&grant.permission) && wanted(grant));
            let mut waiting: Vec<RoleId> = holds.map(|grant| grant.role_id).collect();
            while let Some(role) = waiting.pop() {
                if found.insert(role) {
                    waiting.extend(children.get(&role).into_iter().flatten());
                }
            }
            found
        };
        Self {
            allowing: with_heirs(&|grant| grant.effect == Effect::Allow && grant.condition.is_none()),
            // A conditional denial counts too: better refuse a write than an administrator.
            denying: with_heirs(&|grant| grant.effect == Effect::Deny),
        }
    }

    /// Whether somebody may lose `iam:write` when `self` becomes `after`.
    pub(crate) fn shrinks_to(&self, after: &Self) -> bool {
        !self.allowing.is_subset(&after.allowing) || !after.denying.is_subset(&self.denying)
    }
}

/// Whether a grant's permission includes `iam:write`.
pub(crate) fn covers(permission: &str) -> bool {
    COVERING.contains(&permission)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use stoa_policy::DataScope;
    use stoa_types::GrantId;

    fn role(parents: &[RoleId]) -> Role {
        Role {
            id: RoleId::new(),
            name: "r".into(),
            description: String::new(),
            parents: parents.to_vec(),
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
            created_by: String::new(),
            updated_at: Timestamp::UNIX_EPOCH,
            updated_by: String::new(),
        }
    }

    fn grant(role: &Role, permission: &str, effect: Effect) -> Grant {
        Grant {
            id: GrantId::new(),
            role_id: role.id,
            permission: permission.into(),
            effect,
            scope: DataScope::All,
            condition: None,
            created_at: Timestamp::UNIX_EPOCH,
            created_by: String::new(),
        }
    }

    #[test]
    fn inheritance_gives_and_takes_administration() {
        let base = role(&[]);
        let heir = role(&[base.id]);
        let other = role(&[]);
        let roles = [base.clone(), heir.clone(), other.clone()];
        let grants = [
            grant(&base, "iam:*", Effect::Allow),
            grant(&other, "*", Effect::Deny),
            grant(&other, "iam:read", Effect::Allow),
        ];
        let found = Administration::of(&roles, &grants);
        assert_eq!(found.allowing, BTreeSet::from([base.id, heir.id]));
        assert_eq!(found.denying, BTreeSet::from([other.id]));

        let orphan = Role {
            parents: Vec::new(),
            ..heir
        };
        let after = Administration::of(&[base, orphan, other], &grants);
        assert!(found.shrinks_to(&after) && !after.shrinks_to(&found));
    }
}
