use super::*;
use serde_json::json;
use stoa_policy::{AttributeType, Requirement, Schema};
use stoa_types::RuleId;

fn schemas() -> Schemas {
    let customers = Schema::with_owner_and_branch("owner_id", "branch_id");
    let users = Schema::new().with("ownerId", AttributeType::Uuid, "id");
    let customers = customers.with("status", AttributeType::Text, "status");
    [("customers", customers), ("users", users)]
        .map(|(name, schema)| (name.to_owned(), schema))
        .into()
}

fn role(name: &str, parents: &[RoleId]) -> Role {
    Role {
        id: RoleId::new(),
        name: name.into(),
        description: String::new(),
        parents: parents.to_vec(),
        version: 1,
        created_at: Timestamp::UNIX_EPOCH,
        created_by: String::new(),
        updated_at: Timestamp::UNIX_EPOCH,
        updated_by: String::new(),
    }
}

fn rule_input(pattern: &str, methods: &[&str]) -> RuleInput {
    RuleInput {
        pattern: pattern.into(),
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        requirement: Requirement::Authenticated,
    }
}

// covers: AZ-01
#[test]
fn a_circle_of_roles_is_refused_with_their_names() {
    let clerk = role("clerk", &[]);
    let chief = role("chief", &[clerk.id]);
    let boss = role("boss", &[chief.id]);
    let input = RoleInput {
        name: "clerk".into(),
        description: String::new(),
        parents: vec![boss.id],
    };
    let problem = input
        .check_among(clerk.id, &[clerk.clone(), chief, boss])
        .unwrap_err();
    assert_eq!(problem.status, 422);
    assert_eq!(problem.errors[0].pointer, "/parents");
    for name in ["clerk", "chief", "boss"] {
        assert!(problem.detail.contains(name), "{}", problem.detail);
    }
}

#[test]
fn a_parent_that_does_not_exist_is_named_by_its_place() {
    let known = role("known", &[]);
    let input = RoleInput {
        name: "new".into(),
        description: String::new(),
        parents: vec![known.id, RoleId::new()],
    };
    let problem = input.check_among(RoleId::new(), &[known]).unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/parents/1");
}

// covers: AZ-03
#[test]
fn a_condition_is_type_checked_with_a_pointer_to_its_node() {
    let input: GrantInput = serde_json::from_value(json!({
        "permission": "customers:read", "scope": "all",
        "condition": {"all": [{"compare": {
            "left": {"resource": "status"}, "op": "eq", "right": {"literal": 7}
        }}]}
    }))
    .unwrap();
    assert_eq!(input.effect, Effect::Allow);
    let problem = input.check(&schemas()).unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/condition/all/0/compare");

    let unknown = GrantInput {
        permission: "no permission".into(),
        condition: None,
        ..input
    };
    assert_eq!(
        unknown.check(&schemas()).unwrap_err().errors[0].pointer,
        "/permission"
    );
}

// covers: AZ-04
#[test]
fn a_scope_is_refused_where_no_row_could_be_in_it() {
    for scope in DataScope::EVERY {
        let input = |permission: &str| GrantInput {
            permission: permission.into(),
            effect: Effect::Allow,
            scope,
            condition: None,
        };
        assert!(input("customers:read").check(&schemas()).is_ok(), "{scope:?}");
        assert!(input("*").check(&schemas()).is_ok(), "{scope:?}");
        let of_branches = scope.attribute() == Some(stoa_policy::BRANCH_ATTRIBUTE);
        let refused = input("users:read").check(&schemas()).err();
        assert_eq!(refused.is_some(), of_branches, "{scope:?}");
        if let Some(problem) = refused {
            assert_eq!(problem.errors[0].pointer, "/scope");
        }
    }
}

// covers: GW-03
#[test]
fn an_endpoint_rule_is_checked_beside_the_others() {
    let id = RuleId::new();
    assert!(rule_input("/api/x/**", &["GET"]).check(id, &[]).is_ok());
    let bad = rule_input("/api/../x", &[]).check(id, &[]).unwrap_err();
    assert_eq!(bad.errors[0].pointer, "/pattern");

    let other = Rule {
        id: RuleId::new(),
        pattern: "/api/x/{name}".into(),
        methods: vec!["GET".into()],
        requirement: Requirement::Public,
        version: 1,
        created_at: Timestamp::UNIX_EPOCH,
        created_by: String::new(),
        updated_at: Timestamp::UNIX_EPOCH,
        updated_by: String::new(),
    };
    let others = [other.clone()];
    let twice = rule_input("/api/x/{id}", &["GET"])
        .check(id, &others)
        .unwrap_err();
    assert_eq!(
        (twice.status, twice.errors[0].pointer.as_str()),
        (422, "/pattern")
    );
    assert!(
        rule_input("/api/x/{id}", &["GET"])
            .check(other.id, &others)
            .is_ok()
    );
}

#[test]
fn the_paths_of_administration_stay_the_platforms() {
    for pattern in [
        "/api/iam/**",
        "/api/iam/roles",
        "/access/v1/evaluation",
        "/access/**",
    ] {
        let problem = rule_input(pattern, &[]).check(RuleId::new(), &[]).unwrap_err();
        assert_eq!(problem.code, "iam.rule_protected", "{pattern}");
    }
    // Wider patterns are less specific than the platform's, and so replace nothing.
    for pattern in ["/**", "/api/**", "/api/{x}/roles"] {
        assert!(
            rule_input(pattern, &[]).check(RuleId::new(), &[]).is_ok(),
            "{pattern}"
        );
    }
}

// covers: AZ-02
#[test]
fn a_rule_and_a_condition_are_small() {
    let methods: Vec<String> = (0..100_000).map(|n| format!("M{n}")).collect();
    let many = RuleInput {
        methods,
        ..rule_input("/api/x", &[])
    };
    let long = rule_input(&format!("/{}", "x".repeat(2_000)), &[]);
    for (input, pointer) in [(many, "/methods"), (long, "/pattern")] {
        let problem = input.check(RuleId::new(), &[]).unwrap_err();
        assert_eq!(
            (problem.status, problem.errors[0].pointer.as_str()),
            (422, pointer)
        );
    }
    for text in ["x".repeat(MAX_CONDITION_BYTES), "a\0b".to_owned()] {
        let input: GrantInput = serde_json::from_value(json!({
            "permission": "customers:read", "scope": "all",
            "condition": {"compare": {"left": {"resource": "sector"}, "op": "eq", "right": {"literal": text}}}
        }))
        .unwrap();
        let problem = input.check(&schemas()).unwrap_err();
        assert_eq!(
            (problem.status, problem.errors[0].pointer.as_str()),
            (422, "/condition")
        );
    }
}
