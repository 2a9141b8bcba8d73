//! Decisions, one rule at a time.

use std::collections::BTreeMap;

use stoa_policy::*;
use uuid::Uuid;

use crate::generate::small_id;

const ROLE: Uuid = Uuid::from_u128(10);

/// One role, held by user 0, who works at branch 1 with 2 below it in an organization that has 3 too, and shares a team
/// with user 4.
pub(crate) struct Setup {
    pub(crate) policy: TenantPolicy,
    pub(crate) grants: SubjectGrants,
}

impl Setup {
    pub(crate) fn new(mut grants: Vec<Grant>) -> Self {
        for (number, grant) in (100..).zip(&mut grants) {
            grant.id = Uuid::from_u128(number);
        }
        let role = Role {
            id: ROLE,
            name: "sales".into(),
            parents: vec![],
        };
        let tenant = Uuid::from_u128(1);
        let policy = TenantPolicy {
            tenant,
            revision: 9,
            roles: vec![role],
            grants,
            endpoint_rules: vec![],
        };
        let grants = SubjectGrants {
            tenant,
            user: small_id(0),
            revision: 1,
            assignments: vec![held(ROLE)],
            branch: Some(small_id(1)),
            branches_below: vec![small_id(2), small_id(1)],
            team_members: vec![small_id(4)],
            organization_branches: vec![small_id(1), small_id(2), small_id(3)],
            attributes: BTreeMap::new(),
        };
        Self { policy, grants }
    }

    pub(crate) fn compile(&self) -> (CompiledPolicy, CompiledSubject) {
        let policy = CompiledPolicy::compile(self.policy.clone()).unwrap();
        let subject = CompiledSubject::compile(&policy, self.grants.clone()).unwrap();
        (policy, subject)
    }

    fn ask(&self, permission: &str, resource: Option<&dyn Attributes>) -> Decision {
        let (policy, subject) = self.compile();
        decide(&policy, &subject, permission, resource, &Context::at(100))
    }
}

fn held(role: Uuid) -> Assignment {
    Assignment {
        role,
        valid_from: None,
        valid_until: None,
    }
}

pub(crate) fn allow(scope: DataScope) -> Grant {
    let (id, permission, effect) = (Uuid::nil(), "customers:read".into(), Effect::Allow);
    Grant {
        id,
        role: ROLE,
        permission,
        effect,
        scope,
        condition: None,
    }
}

pub(crate) fn deny(scope: DataScope) -> Grant {
    Grant {
        effect: Effect::Deny,
        ..allow(scope)
    }
}

fn row(owner: Option<usize>, branch: Option<usize>) -> [(&'static str, Value); 2] {
    let id = |n: Option<usize>| n.map_or(Value::Null, |n| Value::Uuid(small_id(n)));
    [("ownerId", id(owner)), ("branchId", id(branch))]
}

// covers: AZ-01
#[test]
fn nothing_is_allowed_without_a_grant() {
    let decision = Setup::new(vec![]).ask("customers:read", None);
    assert_eq!(
        (decision.allowed, decision.reason, decision.revision),
        (false, Reason::NoGrant, 9)
    );
    let everything = Setup::new(vec![Grant {
        permission: "*".into(),
        ..allow(DataScope::All)
    }]);
    for malformed in [
        "",
        "customers",
        "customers:",
        ":read",
        "customers:*",
        "*:*",
        "*",
        "a:b:c",
        "ü:é",
    ] {
        assert!(!everything.ask(malformed, None).allowed, "{malformed}");
    }
    assert!(everything.ask("never-heard-of:read", None).allowed);
}

// covers: AZ-01
#[test]
fn a_denial_wins_and_is_named() {
    let wide = Grant {
        permission: "*:*".into(),
        ..allow(DataScope::All)
    };
    let setup = Setup::new(vec![
        wide,
        Grant {
            permission: "customers:*".into(),
            ..deny(DataScope::Own)
        },
    ]);
    let mine = setup.ask("customers:read", Some(&row(Some(0), None)));
    assert_eq!(
        (mine.reason, mine.determining.as_slice()),
        (Reason::Denied, &[Uuid::from_u128(101)][..])
    );
    let nobodys = setup.ask("customers:read", Some(&row(None, None)));
    assert_eq!(
        (nobodys.allowed, nobodys.reason),
        (false, Reason::DeniedByUnknown)
    );
    let others = setup.ask("customers:read", Some(&row(Some(4), None)));
    assert_eq!(
        (others.reason, others.scope),
        (Reason::Granted, Some(DataScope::All))
    );
    // At the endpoint the denial can still miss; an unconditional one cannot.
    assert!(setup.ask("customers:read", None).allowed);
    assert!(
        !Setup::new(vec![allow(DataScope::All), deny(DataScope::All)])
            .ask("customers:read", None)
            .allowed
    );
}

// covers: AZ-04
#[test]
fn scopes_hold_for_owner_and_branches() {
    let own = Setup::new(vec![allow(DataScope::Own)]);
    assert!(own.ask("customers:read", Some(&row(Some(0), None))).allowed);
    let other = own.ask("customers:read", Some(&row(Some(1), Some(1))));
    assert_eq!((other.allowed, other.reason), (false, Reason::OutOfScope));
    assert!(!own.ask("customers:read", Some(&row(None, None))).allowed);
    let endpoint = own.ask("customers:read", None);
    assert_eq!(
        (endpoint.reason, endpoint.scope),
        (Reason::Possible, Some(DataScope::Own))
    );

    // Whose rows, at which branches, are in each scope.
    let (owners, branches) = ([0, 4, 5], [1, 2, 3, 6]);
    for (scope, owned, placed) in [
        (DataScope::Own, &[0][..], &branches[..]),
        (DataScope::Team, &[0, 4], &branches),
        (DataScope::Branch, &owners, &[1]),
        (DataScope::BranchAndBelow, &owners, &[1, 2]),
        (DataScope::Organization, &owners, &[1, 2, 3]),
        (DataScope::All, &owners, &branches),
    ] {
        let setup = Setup::new(vec![allow(scope)]);
        for (owner, branch) in owners.iter().flat_map(|o| branches.map(|b| (*o, b))) {
            let decision = setup.ask("customers:read", Some(&row(Some(owner), Some(branch))));
            let expected = owned.contains(&owner) && placed.contains(&branch);
            assert_eq!(decision.allowed, expected, "{scope:?} {owner} {branch}");
        }
        assert_eq!(setup.ask("customers:read", None).scope, Some(scope));
    }
    let both = Setup::new(vec![allow(DataScope::Branch), allow(DataScope::Team)]);
    assert!(both.ask("customers:read", Some(&row(Some(4), Some(6)))).allowed);
    assert!(both.ask("customers:read", Some(&row(Some(5), Some(1)))).allowed);
    assert!(!both.ask("customers:read", Some(&row(Some(5), Some(2)))).allowed);
    assert_eq!(both.ask("customers:read", None).scope, Some(DataScope::Branch));
}

// covers: AZ-04, AZ-09
#[test]
fn names_of_scopes_are_those_of_their_json() {
    for scope in DataScope::EVERY {
        assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        let (policy, subject) = Setup::new(vec![allow(scope)]).compile();
        let explanation = explain(&policy, &subject, "customers:read", None, &Context::at(100));
        assert_eq!(explanation.considered[0].scope, scope);
    }
}

// covers: AZ-04
#[test]
fn a_peer_that_knows_no_teams_narrows_and_never_widens() {
    let mut setup = Setup::new(vec![allow(DataScope::Team), allow(DataScope::Organization)]);
    let mut sent = serde_json::to_value(&setup.grants).unwrap();
    for unknown in ["teamMembers", "organizationBranches"] {
        sent.as_object_mut().unwrap().remove(unknown).unwrap();
    }
    setup.grants = serde_json::from_value(sent).unwrap();
    let reads = |owner, branch| {
        setup
            .ask("customers:read", Some(&row(Some(owner), Some(branch))))
            .allowed
    };
    assert!(reads(0, 6) && reads(5, 2));
    assert!(!reads(4, 6) && !reads(5, 3));
}

// covers: AZ-01
#[test]
fn grants_are_inherited_and_bound_in_time() {
    let mut setup = Setup::new(vec![allow(DataScope::All)]);
    let (middle, leaf) = (Uuid::from_u128(11), Uuid::from_u128(12));
    setup.policy.roles.push(Role {
        id: leaf,
        name: "leaf".into(),
        parents: vec![middle],
    });
    setup.policy.roles.push(Role {
        id: middle,
        name: "middle".into(),
        parents: vec![ROLE],
    });
    let until = |valid_from, valid_until| Assignment {
        role: leaf,
        valid_from,
        valid_until,
    };
    for (assignments, allowed) in [
        (vec![held(leaf)], true),
        (vec![until(Some(100), Some(101))], true),
        (vec![until(None, Some(100))], false),
        (vec![until(Some(101), None)], false),
        (vec![until(Some(0), Some(50)), until(Some(50), Some(150))], true),
        (vec![until(Some(0), Some(50)), until(Some(150), Some(200))], false),
        (vec![held(Uuid::from_u128(99))], false),
    ] {
        setup.grants.assignments = assignments;
        assert_eq!(
            setup.ask("customers:read", None).allowed,
            allowed,
            "{:?}",
            setup.grants.assignments
        );
    }
}

// covers: AZ-01
#[test]
fn anothers_tenants_grants_are_refused() {
    let setup = Setup::new(vec![allow(DataScope::All)]);
    let (policy, _) = setup.compile();
    let foreign = SubjectGrants {
        tenant: Uuid::from_u128(2),
        ..setup.grants
    };
    assert!(CompiledSubject::compile(&policy, foreign).is_err());
}

// covers: AZ-06
#[test]
fn a_key_of_another_compilation_is_refused() {
    let setup = Setup::new(vec![allow(DataScope::All)]);
    let (policy, subject) = setup.compile();
    let (other, _) = setup.compile();
    let ask = |key| decide_key(&policy, &subject, key, None, &Context::at(100));
    assert!(ask(policy.permission_key("customers:read")).allowed);
    assert_eq!(
        ask(other.permission_key("customers:read")).reason,
        Reason::OutOfDate
    );
}

// covers: AZ-06
#[test]
fn a_hundred_thousand_grants_compile_and_decide() {
    let mut setup = Setup::new(vec![allow(DataScope::All)]);
    for n in 0..100_000u128 {
        let permission = format!("resource{}:action{}", n / 10, n % 10);
        setup.policy.grants.push(Grant {
            id: Uuid::from_u128(1_000 + n),
            permission,
            ..allow(DataScope::All)
        });
    }
    let (policy, subject) = setup.compile();
    let decision = decide(&policy, &subject, "resource9999:action9", None, &Context::at(100));
    assert_eq!(decision.determining.as_slice(), [Uuid::from_u128(100_999)]);
    assert!(
        !decide(
            &policy,
            &subject,
            "resource9999:action10",
            None,
            &Context::at(100)
        )
        .allowed
    );
    assert!(policy.approximate_bytes() > 100_000 * 64);
}

// covers: AZ-09
#[test]
fn an_explanation_names_what_was_missing() {
    let mut setup = Setup::new(vec![allow(DataScope::Own)]);
    let manager = Uuid::from_u128(20);
    setup.policy.roles.push(Role {
        id: manager,
        name: "manager".into(),
        parents: vec![],
    });
    let by_manager = |id, permission: &str| Grant {
        id: Uuid::from_u128(id),
        role: manager,
        permission: permission.into(),
        ..allow(DataScope::All)
    };
    setup.policy.grants.push(by_manager(200, "customers:delete"));
    let (policy, subject) = setup.compile();
    let mine = row(Some(0), None);
    let explanation = explain(
        &policy,
        &subject,
        "customers:delete",
        Some(&mine),
        &Context::at(100),
    );
    let found: Vec<_> = explanation
        .near_misses
        .iter()
        .map(|miss| (miss.role.as_str(), miss.missing))
        .collect();
    assert_eq!(found, [("manager", Missing::Role), ("sales", Missing::Action)]);

    setup.grants.assignments.push(Assignment {
        role: manager,
        valid_from: None,
        valid_until: Some(100),
    });
    let (policy, subject) = setup.compile();
    let explanation = explain(
        &policy,
        &subject,
        "customers:delete",
        Some(&mine),
        &Context::at(100),
    );
    assert_eq!(explanation.considered[0].outcome, Outcome::Expired);
    assert!(!explanation.decision.allowed);
}
