//! The grammar of filters and of conditions, without a database.

use super::*;

fn parsed(text: &str) -> Vec<Clause> {
    let Tree::All(parts) = parse(text, &[]).unwrap() else {
        panic!("a filter is a conjunction");
    };
    let clause = |part| match part {
        Tree::Clause(clause) => clause,
        other => panic!("{other:?} is no clause"),
    };
    parts.into_iter().map(clause).collect()
}

fn refused(text: &str) -> (String, String) {
    let error = parse(text, &[]).unwrap_err().errors.remove(0);
    (error.pointer, error.rule)
}

// covers: AP-03
#[test]
fn clauses_are_typed() {
    let clauses = parsed("status:in:lead|active,revenueMinor:ge:100,name:eq:Énergie,email:lt:M@x.y");
    assert_eq!(
        clauses[0].values,
        Values::Texts(vec!["lead".into(), "active".into()])
    );
    assert_eq!(
        (clauses[1].op, &clauses[1].values),
        (Op::Ge, &Values::Ints(vec![100]))
    );
    assert_eq!(clauses[2].values, Values::Texts(vec!["energie".into()]));
    assert_eq!(clauses[3].values, Values::Texts(vec!["m@x.y".into()]));
    let time = parsed("createdAt:lt:2026-01-31T08:00:00Z");
    assert!(matches!(&time[0].values, Values::Times(t) if t.len() == 1));
}

// covers: AP-03
#[test]
fn backslashes_protect_separators() {
    let clauses = parsed(r"sector:in:a\,b|c\|d|e\\f");
    assert_eq!(
        clauses[0].values,
        Values::Texts(vec!["a,b".into(), "c|d".into(), r"e\f".into()])
    );
    assert_eq!(
        parsed("sector:eq:a:b")[0].values,
        Values::Texts(vec!["a:b".into()])
    );
}

// covers: AP-03
#[test]
fn what_is_wrong_is_pointed_at() {
    let pair = |pointer: &str, rule: &str| (pointer.to_owned(), rule.to_owned());
    assert_eq!(
        refused("status:eq:lead,colour:eq:red"),
        pair("filter/1", "unknown")
    );
    assert_eq!(refused("status:like:lead"), pair("filter/0", "unknown"));
    assert_eq!(refused("status:lt:lead"), pair("filter/0", "unknown"));
    assert_eq!(refused("revenueMinor:eq:many"), pair("filter/0", "type"));
    assert_eq!(refused("branchId:eq:1"), pair("filter/0", "type"));
    assert_eq!(refused("status"), pair("filter/0", "format"));
    assert_eq!(refused(""), pair("filter/0", "format"));
    assert_eq!(
        refused(&["status:eq:lead"; 9].join(",")),
        pair("filter", "length")
    );
}
