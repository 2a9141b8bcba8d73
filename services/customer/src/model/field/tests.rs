//! The rules of custom fields and their values, without a database.

use super::*;
use crate::model::value::{Entry, Key, entries, key_of_text};
use serde_json::json;

fn input(fields: Value) -> FieldInput {
    serde_json::from_value(fields).unwrap()
}

fn field(fields: Value) -> Field {
    let origin = stoa_kernel::db::Origin {
        actor: stoa_kernel::Actor::System("test".to_owned()),
        correlation: stoa_types::new_id(),
        causation: None,
        traceparent: None,
    };
    let record = Record::new(&origin, &stoa_kernel::Clock::system());
    Field::new(FieldId::new(), input(fields).checked().unwrap(), record)
}

fn of(kind: &str) -> Field {
    let mut definition = json!({ "key": "f", "label": "F", "type": kind });
    if kind.ends_with("select") {
        definition["options"] = json!(["red", "green", "blue"]);
    }
    field(definition)
}

fn refused(definition: Value) -> Vec<(String, String)> {
    let problem = input(definition).checked().unwrap_err();
    problem.errors.into_iter().map(|e| (e.pointer, e.rule)).collect()
}

fn custom(fields: &[Field], given: &Value, before: &Value) -> Result<Value, Vec<(String, String)>> {
    let checked = checked_custom(fields, given.as_object().unwrap(), before.as_object().unwrap());
    checked
        .map(Value::Object)
        .map_err(|p| p.errors.into_iter().map(|e| (e.pointer, e.rule)).collect())
}

fn pair(pointer: &str, rule: &str) -> (String, String) {
    (pointer.to_owned(), rule.to_owned())
}

// covers: CRM-08
#[test]
fn definitions_are_checked() {
    let wrong =
        json!({ "key": "Not a key", "label": " ", "type": "text", "options": ["a"], "maxLength": 501 });
    assert_eq!(
        refused(wrong),
        [
            pair("/key", "format"),
            pair("/label", "length"),
            pair("/options", "length"),
            pair("/maxLength", "range")
        ]
    );
    let twice = json!({ "key": "k", "label": "L", "type": "select", "options": ["a", "a "] });
    assert_eq!(refused(twice), [pair("/options", "unique")]);
    assert_eq!(
        refused(json!({ "key": "k", "label": "L", "type": "select" })),
        [pair("/options", "length")]
    );
    assert_eq!(
        refused(json!({ "key": "k", "label": "L", "type": "number", "min": 2, "max": 1 })),
        [pair("/max", "range")]
    );
    assert_eq!(
        refused(json!({ "key": "k", "label": "L", "type": "number", "min": 0.5 })),
        [pair("/min", "decimals")]
    );
    assert_eq!(
        refused(json!({ "key": "k", "label": "L", "type": "date", "decimals": 2 })),
        [pair("/type", "type")]
    );
    let kept = field(json!({ "key": "k", "label": "L", "type": "text" }));
    let other = input(json!({ "key": "k2", "label": "L", "type": "number" }));
    let errors = kept.with(other).unwrap_err().errors;
    assert_eq!(errors.len(), 2, "{errors:?}");
}

// covers: CRM-08
#[test]
fn values_are_typed_and_kept_in_one_form() {
    for (kind, given, kept) in [
        ("text", json!(" a\nb "), json!("a\nb")),
        ("number", json!(12), json!(12)),
        ("number", json!(12.0), json!(12)),
        ("boolean", json!(true), json!(true)),
        ("date", json!("2026-01-31"), json!("2026-01-31")),
        (
            "datetime",
            json!("2026-01-31T10:00:00+02:00"),
            json!("2026-01-31T08:00:00Z"),
        ),
        ("select", json!("red"), json!("red")),
        (
            "multiselect",
            json!(["blue", "red", "blue"]),
            json!(["red", "blue"]),
        ),
        (
            "url",
            json!("https://example.com/a?b"),
            json!("https://example.com/a?b"),
        ),
        ("email", json!("Ann@Example.com"), json!("ann@example.com")),
    ] {
        let checked = custom(&[of(kind)], &json!({ "f": given }), &json!({}));
        assert_eq!(checked, Ok(json!({ "f": kept })), "{kind}");
    }
    for empty in [json!(null), json!(" "), json!([])] {
        assert_eq!(
            custom(&[of("multiselect")], &json!({ "f": empty }), &json!({})),
            Ok(json!({}))
        );
    }
}

// covers: CRM-08
#[test]
fn what_is_wrong_with_a_value_is_pointed_at() {
    for (kind, given, rule) in [
        ("text", json!(7), "type"),
        ("text", json!("x".repeat(501)), "length"),
        ("text", json!("a\u{0}b"), "format"),
        ("number", json!("7"), "type"),
        ("number", json!(7.5), "decimals"),
        ("number", json!(1e300), "range"),
        ("number", json!(1e-9), "decimals"),
        ("number", json!(i64::MAX), "range"),
        ("boolean", json!("true"), "type"),
        ("date", json!("31.01.2026"), "type"),
        ("date", json!("2026-02-30"), "type"),
        ("date", json!("-000001-01-01"), "type"),
        ("datetime", json!("2026-01-31"), "type"),
        ("select", json!("yellow"), "option"),
        ("multiselect", json!("red"), "type"),
        ("multiselect", json!(["yellow"]), "option"),
        ("url", json!("javascript:alert(1)"), "format"),
        ("url", json!("https://"), "format"),
        ("email", json!("ann"), "format"),
    ] {
        let refused = custom(&[of(kind)], &json!({ "f": given }), &json!({}));
        assert_eq!(refused, Err(vec![pair("/custom/f", rule)]), "{kind} {given}");
    }
    assert_eq!(
        custom(&[], &json!({ "a/b": 1 }), &json!({})),
        Err(vec![pair("/custom/a~1b", "unknown")])
    );
}

// covers: CRM-08
#[test]
fn numbers_are_exact_within_their_decimals_and_bounds() {
    let price = field(json!({
        "key": "price", "label": "Price", "type": "number", "decimals": 2, "min": -1.5, "max": 100
    }));
    let fields = [price];
    for (given, rule) in [
        (json!(0.1), None),
        (json!(-1.5), None),
        (json!(100.00), None),
        (json!(100.01), Some("range")),
        (json!(-1.51), Some("range")),
        (json!(0.125), Some("decimals")),
    ] {
        let checked = custom(&fields, &json!({ "price": given }), &json!({}));
        let refused = checked.err().map(|errors| errors[0].1.clone());
        assert_eq!(refused.as_deref(), rule, "{given}");
    }
    let custom = json!({ "price": 0.1 });
    let entry = Entry {
        field: fields[0].id,
        item: 0,
        key: Key::Int(10),
    };
    assert_eq!(entries(&fields, custom.as_object().unwrap()), [entry]);
    assert_eq!(key_of_text(&fields[0], "0.1"), Ok(Key::Int(10)));
    assert_eq!(key_of_text(&fields[0], "-1.5"), Ok(Key::Int(-150)));
    assert!(key_of_text(&fields[0], "much").is_err());
    assert!(key_of_text(&of("email"), "a\0@b.example").is_err());
}

// covers: CRM-08
#[test]
fn a_required_field_binds_the_next_write_only() {
    let needed = field(json!({ "key": "f", "label": "F", "type": "text", "required": true }));
    let fields = [needed];
    assert_eq!(
        custom(&fields, &json!({}), &json!({})),
        Err(vec![pair("/custom/f", "required")])
    );
    assert_eq!(
        custom(&fields, &json!({ "f": " " }), &json!({ "f": "x" })),
        Err(vec![pair("/custom/f", "required")])
    );
    assert_eq!(
        custom(&fields, &json!({ "f": 7 }), &json!({})),
        Err(vec![pair("/custom/f", "type")]),
        "told once"
    );
    assert!(custom(&fields, &json!({ "f": "x" }), &json!({})).is_ok());
}

// covers: CRM-08
#[test]
fn old_values_stay_until_they_are_changed() {
    let narrowed = field(json!({ "key": "f", "label": "F", "type": "select", "options": ["new"] }));
    let old = json!({ "f": "old" });
    assert_eq!(
        custom(&[narrowed], &old, &old),
        Ok(old.clone()),
        "an option that was removed"
    );
    let mut archived = of("text");
    archived.record.archived_at = Some(archived.record.created_at);
    let fields = [archived];
    assert_eq!(
        custom(&fields, &json!({}), &old),
        Ok(old.clone()),
        "values of archived fields stay"
    );
    assert_eq!(custom(&fields, &old, &old), Ok(old.clone()));
    assert_eq!(
        custom(&fields, &json!({ "f": "other" }), &old),
        Err(vec![pair("/custom/f", "archived")])
    );
}

// covers: CRM-08
#[test]
fn every_choice_is_found() {
    let field = of("multiselect");
    let custom = json!({ "f": ["red", "blue"], "gone": "x" });
    let found = entries(&[field], custom.as_object().unwrap());
    let keys: Vec<_> = found.iter().map(|e| (e.item, e.key.clone())).collect();
    assert_eq!(
        keys,
        [
            (0, Key::Text("red".to_owned())),
            (1, Key::Text("blue".to_owned()))
        ]
    );
}
