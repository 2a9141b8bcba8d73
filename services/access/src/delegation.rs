//! Nobody hands out more than they hold: which roles a user may give and take without `iam:write`, and for whom they may
//! act.

use crate::model::Grant;
use stoa_policy::{DataScope, Effect, permission_includes};

/// Where another user stands as seen from the caller. All scopes but `all` are measured from whoever holds them, so that
/// the same name means other rows to another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reach {
    /// They are the same person.
    pub(crate) oneself: bool,
    /// Each of the other's teams, of which there is one at least, is the caller's too.
    pub(crate) team: bool,
    /// They have the same home branch.
    pub(crate) branch: bool,
    /// The other's home branch is the caller's, or below it.
    pub(crate) branch_and_below: bool,
    /// Their home branches are of one organization.
    pub(crate) organization: bool,
}

impl Reach {
    /// Whether all that `scope` may include is within the caller's reach when it is measured from the other user.
    fn of(self, scope: DataScope) -> bool {
        self.oneself
            || match scope {
                DataScope::All => true,
                DataScope::Own => false,
                DataScope::Team => self.team,
                DataScope::Branch => self.branch,
                DataScope::BranchAndBelow => self.branch_and_below,
                DataScope::Organization => self.organization,
            }
    }
}

/// The first grant of a role that is more than `held`, the caller's own grants in force, inherited ones included, when
/// the role is somebody's at `reach`. Who has rows of their own may let others have theirs.
///
/// A denial always is: who takes a role with one from a user, themselves perhaps, gives back what it refuses.
pub(crate) fn excess<'a>(role: &'a [Grant], held: &[Grant], reach: Reach) -> Option<&'a Grant> {
    let within = |own: DataScope| own == DataScope::Own || reach.of(own);
    role.iter().find(|grant| !is_held(grant, held, within))
}

/// The first grant of an account at `reach` that its holder has and the caller has not. `as_holder` when the caller could
/// work as the holder, whose own rows are not the caller's. What an account is denied makes it no greater.
pub(crate) fn advantage<'a>(
    account: &'a [Grant],
    held: &[Grant],
    reach: Reach,
    as_holder: bool,
) -> Option<&'a Grant> {
    let within = |own: DataScope| (own == DataScope::Own && !as_holder) || reach.of(own);
    let mut allowing = account.iter().filter(|grant| grant.effect == Effect::Allow);
    allowing.find(|grant| !is_held(grant, held, within))
}

/// Whether `held` includes an allowing grant, by a grant whose scope is `within` reach.
fn is_held(grant: &Grant, held: &[Grant], within: impl Fn(DataScope) -> bool) -> bool {
    let overlaps = |own: &Grant| {
        permission_includes(&own.permission, &grant.permission)
            || permission_includes(&grant.permission, &own.permission)
    };
    let includes = |own: &Grant| {
        permission_includes(&own.permission, &grant.permission)
            && own.scope.includes(grant.scope)
            && within(own.scope)
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

    const ONESELF: Reach = Reach {
        oneself: true,
        team: false,
        branch: false,
        branch_and_below: false,
        organization: false,
    };

    #[track_caller]
    fn may(role: &[Grant], held: &[Grant], expected: bool) {
        assert_eq!(
            excess(role, held, ONESELF).is_none(),
            expected,
            "{role:?} by {held:?}"
        );
    }

    // covers: AZ-01
    #[test]
    fn the_same_scope_is_more_to_whom_it_reaches_further() {
        use DataScope::{All, Branch, BranchAndBelow, Organization, Own, Team};
        let read = |scope| [grant("customers:read", scope)];
        let far = Reach::default();
        let near = Reach {
            team: true,
            branch: true,
            branch_and_below: true,
            organization: true,
            ..far
        };
        for scope in [Team, Branch, BranchAndBelow, Organization] {
            assert!(excess(&read(scope), &read(scope), far).is_some(), "{scope:?}");
            assert!(excess(&read(scope), &read(All), far).is_none(), "{scope:?}");
            assert!(excess(&read(scope), &read(scope), near).is_none(), "{scope:?}");
        }
        assert!(
            excess(&read(Own), &read(Own), far).is_none(),
            "everybody has their own"
        );
        let below = Reach {
            branch_and_below: true,
            ..far
        };
        assert!(excess(&read(BranchAndBelow), &read(BranchAndBelow), below).is_none());
        assert!(excess(&read(Branch), &read(Branch), below).is_some());
    }

    // covers: AZ-01
    #[test]
    fn somebody_elses_own_rows_are_an_advantage() {
        use DataScope::{All, Own, Team};
        let read = |scope| [grant("customers:read", scope)];
        let as_holder =
            |account: &[Grant], held: &[Grant], reach| advantage(account, held, reach, true).cloned();
        let mate = Reach {
            team: true,
            ..Reach::default()
        };
        assert!(as_holder(&read(Own), &read(Own), mate).is_some());
        assert!(as_holder(&read(Own), &read(Team), mate).is_none());
        assert!(as_holder(&read(Own), &read(Team), Reach::default()).is_some());
        assert!(as_holder(&read(Own), &read(All), Reach::default()).is_none());
        assert!(as_holder(&[denial("customers:read")], &[], Reach::default()).is_none());
        let deprived = [grant("*", All), denial("customers:read")];
        assert!(as_holder(&read(Own), &deprived, mate).is_some());
        // Who takes or gives back rights does not get them.
        assert!(advantage(&read(Own), &read(Own), Reach::default(), false).is_none());
        assert!(advantage(&read(Team), &read(Team), Reach::default(), false).is_some());
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
