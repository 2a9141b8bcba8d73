//! Saved conditions and policies are checked.

use serde_json::json;
use stoa_policy::*;
use uuid::Uuid;

use crate::decisions::{Setup, allow};
use crate::generate::World;

fn problems(condition: serde_json::Value) -> Vec<(String, String)> {
    let condition: Condition = serde_json::from_value(condition).unwrap();
    let found = World::schema()
        .with_computed("score", AttributeType::Int)
        .check(&condition, "");
    found
        .into_iter()
        .map(|problem| (problem.pointer, problem.message))
        .collect()
}

// covers: AZ-03
#[test]
fn types_are_checked_with_the_place() {
    let good = json!({"all": [
        {"compare": {"left": {"resource": "status"}, "op": "eq", "right": {"literal": "open"}}},
        {"in": {"operand": {"resource": "ownerId"}, "list": [{"uuid": Uuid::nil()}, null]}},
        {"not": {"isNull": {"subject": "team"}}},
        {"any": [{"compare": {"left": {"context": "now"}, "op": "ge", "right": {"resource": "big"}}}]},
    ]});
    assert_eq!(problems(good), []);
    for (condition, pointer, message) in [
        (
            json!({"isNull": {"resource": "nope"}}),
            "/isNull/resource",
            "the resource has no attribute \"nope\"",
        ),
        (
            json!({"not": {"isNull": {"resource": "score"}}}),
            "/not/isNull/resource",
            "cannot become SQL: attribute \"score\" has no column",
        ),
        (
            json!({"any": [{"all": []}, {"compare": {"left": {"resource": "status"}, "op": "eq", "right": {"literal": 1}}}]}),
            "/any/1/compare",
            "cannot compare text with integer",
        ),
        (
            json!({"in": {"operand": {"resource": "amount"}, "list": [1, "two"]}}),
            "/in/list/1",
            "expected integer, found text",
        ),
        (
            json!({"compare": {"left": {"resource": "status"}, "op": "eq", "right": {"literal": null}}}),
            "/compare/right",
            "comparing with null is never true; use isNull",
        ),
        (
            json!({"isNull": {"context": "cookie"}}),
            "/isNull/context",
            "the context has no attribute \"cookie\"",
        ),
    ] {
        assert_eq!(problems(condition), [(pointer.to_owned(), message.to_owned())]);
    }
}

// covers: AZ-03
#[test]
fn depth_nodes_and_lists_are_bounded() {
    let leaf = || Condition::IsNull(Operand::Resource("status".into()));
    let nested = |depth: usize| (1..depth).fold(leaf(), |inner, _| Condition::Not(Box::new(inner)));
    let schema = World::schema();
    assert_eq!(schema.check(&nested(MAX_CONDITION_DEPTH), ""), []);
    assert_eq!(schema.check(&nested(MAX_CONDITION_DEPTH + 1), "").len(), 1);
    let wide = |nodes: usize| Condition::Any((1..nodes).map(|_| leaf()).collect());
    assert_eq!(schema.check(&wide(MAX_CONDITION_NODES), ""), []);
    assert_eq!(schema.check(&wide(MAX_CONDITION_NODES + 1), "").len(), 1);
    let list = vec![Value::Int(1); MAX_LIST_ENTRIES + 1];
    let long = Condition::In {
        operand: Operand::Resource("amount".into()),
        list,
    };
    assert_eq!(schema.check(&long, "/c")[0].pointer, "/c/in/list");

    let mut setup = Setup::new(vec![allow(DataScope::All)]);
    setup.policy.grants[0].condition = Some(nested(MAX_CONDITION_DEPTH + 1));
    assert!(CompiledPolicy::compile(setup.policy).is_err());
}

// covers: AZ-01
#[test]
fn circles_of_roles_are_named() {
    let mut setup = Setup::new(vec![]);
    let id = Uuid::from_u128;
    setup.policy.roles = vec![
        Role {
            id: id(1),
            name: "top".into(),
            parents: vec![id(2)],
        },
        Role {
            id: id(2),
            name: "a".into(),
            parents: vec![id(3)],
        },
        Role {
            id: id(3),
            name: "b".into(),
            parents: vec![id(2)],
        },
    ];
    let error = setup.policy.validate().unwrap_err();
    assert_eq!(
        error.problems[0].message,
        "roles inherit from each other in a circle: a → b → a"
    );
    assert_eq!(error.problems[0].pointer, "/roles/1/parents");
    setup.policy.roles[2].parents = vec![id(3)];
    assert!(
        setup.policy.validate().unwrap_err().problems[0]
            .message
            .ends_with("b → b")
    );
    // A diamond is no circle.
    setup.policy.roles[2].parents = vec![];
    setup.policy.roles[0].parents = vec![id(2), id(3)];
    setup.policy.validate().unwrap();
}

// covers: AZ-01
#[test]
fn long_chains_of_roles_work() {
    let mut setup = Setup::new(vec![allow(DataScope::All)]);
    let base = setup.policy.roles[0].id;
    let id = |n: u128| Uuid::from_u128(10_000 + n);
    for n in 0..50_000 {
        let parent = if n == 0 { base } else { id(n - 1) };
        setup.policy.roles.push(Role {
            id: id(n),
            name: format!("role {n}"),
            parents: vec![parent],
        });
    }
    setup.grants.assignments[0].role = id(49_999);
    let (policy, subject) = setup.compile();
    assert!(decide(&policy, &subject, "customers:read", None, &Context::at(0)).allowed);
}

// covers: AZ-03
#[test]
fn a_policy_is_checked_as_a_whole() {
    let check = |change: &dyn Fn(&mut TenantPolicy)| {
        let mut policy = Setup::new(vec![allow(DataScope::Own)]).policy;
        change(&mut policy);
        let schemas = Schemas::from([
            ("customers".to_owned(), World::schema()),
            ("settings".to_owned(), Schema::new()),
        ]);
        validate(&policy, &schemas).map_err(|error| error.problems[0].pointer.clone())
    };
    assert_eq!(check(&|_| {}), Ok(()));
    let at = |pointer: &str| Err(pointer.to_owned());
    assert_eq!(
        check(&|p| p.grants[0].permission = "customers".into()),
        at("/grants/0/permission")
    );
    assert_eq!(
        check(&|p| p.grants[0].permission = "*:read".into()),
        at("/grants/0/permission")
    );
    assert_eq!(
        check(&|p| p.grants[0].permission = "settings:read".into()),
        at("/grants/0/scope")
    );
    assert_eq!(check(&|p| p.grants[0].role = Uuid::nil()), at("/grants/0/role"));
    assert_eq!(check(&|p| p.grants.push(p.grants[0].clone())), at("/grants/1/id"));
    assert_eq!(check(&|p| p.roles[0].name = " ".into()), at("/roles/0/name"));
    assert_eq!(
        check(&|p| p.roles[0].parents.push(Uuid::nil())),
        at("/roles/0/parents/0")
    );
    // A condition of a wildcard must suit every resource.
    let on_status = Condition::IsNull(Operand::Resource("status".into()));
    let wildcard = |p: &mut TenantPolicy| {
        p.grants[0].permission = "*".into();
        p.grants[0].condition = Some(on_status.clone());
    };
    assert_eq!(check(&wildcard), at("/grants/0/condition/isNull/resource"));
}

#[test]
fn a_text_that_looks_like_an_id_stays_a_text() {
    let id = Uuid::from_u128(7);
    for value in [
        Value::Text(id.to_string()),
        Value::Uuid(id),
        Value::Null,
        Value::Int(-1),
        Value::Bool(true),
    ] {
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value, "{json}");
    }
    assert!(serde_json::from_str::<Value>("1.5").is_err());
}
