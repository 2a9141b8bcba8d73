//! The SQL of row filters.

use stoa_policy::*;
use uuid::Uuid;

use crate::decisions::{Setup, allow, deny};
use crate::generate::{World, small_id};

fn sql_of(setup: &Setup, narrow: Option<DataScope>) -> SqlFilter {
    let (policy, subject) = setup.compile();
    row_filter(&policy, &subject, "customers:read", narrow, &Context::at(100)).to_sql(&World::schema(), 3)
}

fn status(op: CompareOp, text: &str) -> Condition {
    Condition::Compare {
        left: Operand::Resource("status".into()),
        op,
        right: Operand::Literal(Value::Text(text.into())),
    }
}

// covers: AZ-04
#[test]
fn scopes_become_column_tests() {
    let user = Setup::new(vec![]).grants.user;
    let branches = SqlParam::UuidArray(vec![small_id(1), small_id(2)]);

    let both = Setup::new(vec![allow(DataScope::Own), allow(DataScope::BranchAndBelow)]);
    let sql = sql_of(&both, None);
    assert_eq!(sql.sql, "(branch_id = any($3) or owner_id = $4)");
    assert_eq!(sql.params, [branches.clone(), SqlParam::Uuid(user)]);

    let team = SqlParam::UuidArray(vec![user, small_id(4)]);
    let organization = SqlParam::UuidArray((1..=3).map(small_id).collect());
    for (scope, expected, param) in [
        (DataScope::Team, "owner_id = any($3)", team),
        (DataScope::Branch, "branch_id = $3", SqlParam::Uuid(small_id(1))),
        (DataScope::Organization, "branch_id = any($3)", organization),
    ] {
        let sql = sql_of(&Setup::new(vec![allow(scope)]), None);
        assert_eq!(
            (sql.sql.as_str(), sql.params),
            (expected, vec![param]),
            "{scope:?}"
        );
    }

    let sql = sql_of(&Setup::new(vec![allow(DataScope::All)]), None);
    assert_eq!((sql.sql.as_str(), sql.params.len()), ("true", 0));
    assert_eq!(sql_of(&Setup::new(vec![]), None).sql, "false");

    let narrowed = sql_of(
        &Setup::new(vec![allow(DataScope::BranchAndBelow)]),
        Some(DataScope::Own),
    );
    assert_eq!(narrowed.sql, "(branch_id = any($3) and owner_id = $4)");
    let not_widened = sql_of(&Setup::new(vec![allow(DataScope::Own)]), Some(DataScope::All));
    assert_eq!(not_widened.sql, "owner_id = $3");
}

// covers: AZ-04
#[test]
fn without_a_branch_the_scopes_of_branches_are_empty() {
    let mut setup = Setup::new(vec![
        allow(DataScope::Branch),
        allow(DataScope::BranchAndBelow),
        allow(DataScope::Organization),
    ]);
    setup.grants.branch = None;
    setup.grants.branches_below.clear();
    setup.grants.organization_branches.clear();
    assert_eq!(sql_of(&setup, None).sql, "false");
}

// covers: AZ-04
#[test]
fn denials_are_subtracted() {
    let mut denial = deny(DataScope::All);
    denial.condition = Some(status(CompareOp::Eq, "secret"));
    let sql = sql_of(&Setup::new(vec![allow(DataScope::All), denial]), None);
    assert_eq!(sql.sql, "(not status = $3)");
    assert_eq!(
        sql_of(
            &Setup::new(vec![allow(DataScope::All), deny(DataScope::All)]),
            None
        )
        .sql,
        "false"
    );
}

// covers: AZ-03
#[test]
fn texts_are_ordered_by_bytes_and_values_are_parameters() {
    let mut grant = allow(DataScope::All);
    grant.condition = Some(Condition::All(vec![
        status(CompareOp::Lt, "'; drop table rows; --"),
        Condition::In {
            operand: Operand::Resource("amount".into()),
            list: vec![Value::Int(1), Value::Null, Value::Int(2)],
        },
        Condition::Not(Box::new(Condition::IsNull(Operand::Resource("note".into())))),
    ]));
    let sql = sql_of(&Setup::new(vec![grant]), None);
    assert_eq!(
        sql.sql,
        "(status collate \"C\" < $3 and (amount = any($4::bigint[]) or null::boolean) and (not (note is null)))"
    );
    assert_eq!(
        sql.params,
        [
            SqlParam::Text("'; drop table rows; --".into()),
            SqlParam::IntArray(vec![1, 2])
        ]
    );
}

// covers: AZ-04
#[test]
fn an_attribute_without_a_usable_column_only_removes_rows() {
    let mut denial = deny(DataScope::All);
    denial.condition = Some(status(CompareOp::Eq, "secret"));
    let (policy, subject) = Setup::new(vec![allow(DataScope::All), denial]).compile();
    let filter = row_filter(&policy, &subject, "customers:read", None, &Context::at(100));
    let schemas = [
        Schema::new(),
        Schema::new().with_computed("status", AttributeType::Text),
        Schema::new().with("status", AttributeType::Int, "status"),
        Schema::new().with("status", AttributeType::Text, "status; drop table rows"),
    ];
    for schema in schemas {
        assert_eq!(filter.to_sql(&schema, 1).sql, "(not null::boolean)");
    }
}

// covers: AZ-04
#[test]
fn a_filter_for_another_compilation_is_empty() {
    let setup = Setup::new(vec![allow(DataScope::All)]);
    let (_, subject) = setup.compile();
    let (policy, _) = setup.compile();
    assert!(row_filter(&policy, &subject, "customers:read", None, &Context::at(100)).is_none());
    let row = [("ownerId", Value::Uuid(Uuid::nil()))];
    let decision = decide(&policy, &subject, "customers:read", Some(&row), &Context::at(100));
    assert_eq!((decision.allowed, decision.reason), (false, Reason::OutOfDate));
}
