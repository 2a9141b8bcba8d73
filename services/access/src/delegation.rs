//! Nobody hands out more than they hold: which roles a user may give and take without `iam:write`.

use crate::model::Grant;
use stoa_policy::{Effect, permission_includes};

/// The first grant of a role that is more than `held`, the caller's own grants in force, inherited ones included.
///
/// A denial always is: who takes a role with one from a user, themselves perhaps, gives back what it refuses.
pub(crate) fn excess<'a>(role: &'a [Grant], held: &[Grant]) -> Option<&'a Grant> {
    role.iter().find(|grant| !is_held(grant, held))
}

fn is_held(grant: &Grant, held: &[Grant]) -> bool {
    let overlaps = |own: &Grant| {
        permission_includes(&own.permission, &grant.permission)
            || permission_includes(&grant.permission, &own.permission)
    };
    let includes = |own: &Grant| {
        permission_includes(&own.permission, &grant.permission)
            && own.scope.includes(grant.scope)
            && (own.condition.is_none() || own.condition == grant.condition)
    };
    grant.effect == Effect::Allow
        && held
            .iter()
            .any(|own| own.effect == Effect::Allow && includes(own))
        && !held.iter().any(|own| own.effect == Effect::Deny && overlaps(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use stoa_policy::{Condition, DataScope, Operand};
    use stoa_types::{GrantId, RoleId};

    fn grant(permission: &str, scope: DataScope) -> Grant {
        Grant {
            id: GrantId::new(),
            role_id: RoleId::new(),
            permission: permission.into(),
            effect: Effect::Allow,
            scope,
            condition: None,
            created_at: Timestamp::UNIX_EPOCH,
            created_by: String::new(),
        }
    }

    fn denial(permission: &str) -> Grant {
        Grant {
            effect: Effect::Deny,
            ..grant(permission, DataScope::Own)
        }
    }

    fn conditional(attribute: &str) -> Grant {
        Grant {
            condition: Some(Condition::IsNull(Operand::Resource(attribute.into()))),
            ..grant("customers:read", DataScope::All)
        }
    }

    #[track_caller]
    fn may(role: &[Grant], held: &[Grant], expected: bool) {
        assert_eq!(excess(role, held).is_none(), expected, "{role:?} by {held:?}");
    }

    // covers: AZ-01
    #[test]
    fn a_role_may_give_only_what_the_caller_holds() {
        use DataScope::{All, Branch, BranchAndBelow, Organization, Own, Team};
        let read = |scope| grant("customers:read", scope);
        may(&[], &[], true);
        may(&[read(Own)], &[], false);
        may(&[read(Own)], &[read(Own)], true);
        may(&[read(Own), grant("customers:update", Own)], &[read(All)], false);
        may(&[grant("*", All)], &[grant("customers:*", All)], false);
        may(&[read(Own)], &[grant("*", All)], true);
        may(&[grant("customers:*", Own)], &[read(Own)], false);
        for (wide, narrow, expected) in [
            (Team, Own, true),
            (Own, Team, false),
            (Organization, BranchAndBelow, true),
            (BranchAndBelow, Branch, true),
            (Branch, BranchAndBelow, false),
            // Rows that one owns may lie in another branch.
            (Organization, Own, false),
            (Organization, All, false),
        ] {
            may(&[read(narrow)], &[read(wide)], expected);
        }
    }

    // covers: AZ-01
    #[test]
    fn a_condition_narrows_what_is_held() {
        let plain = grant("customers:read", DataScope::All);
        may(&[conditional("a")], std::slice::from_ref(&plain), true);
        may(&[conditional("a")], &[conditional("a")], true);
        may(&[conditional("a")], &[conditional("b")], false);
        may(&[plain], &[conditional("a")], false);
    }

    // covers: AZ-01
    #[test]
    fn a_denial_is_for_administrators_to_give_and_to_take() {
        let all = grant("*", DataScope::All);
        may(&[denial("customers:read")], std::slice::from_ref(&all), false);
        let deprived = [all, denial("customers:archive")];
        may(&[grant("customers:*", DataScope::Own)], &deprived, false);
        may(&[grant("customers:archive", DataScope::Own)], &deprived, false);
        may(&[grant("customers:read", DataScope::Own)], &deprived, true);
    }
}
