//! Merging and undoing, without a database.

use super::*;
use crate::model::{Record, UserId};
use serde_json::json;
use stoa_types::BranchId;

fn customer(fields: Value) -> Customer {
    let origin = stoa_kernel::db::Origin {
        actor: stoa_kernel::Actor::System("test".to_owned()),
        correlation: stoa_types::new_id(),
        causation: None,
        traceparent: None,
    };
    let record = Record::new(&origin, &stoa_kernel::Clock::system());
    let input: CustomerInput = serde_json::from_value(fields).unwrap();
    Customer::new(
        CustomerId::new(),
        input.checked().unwrap(),
        BranchId(uuid::Uuid::nil()),
        UserId(uuid::Uuid::nil()),
        record,
    )
}

fn merged(into: &Customer, from: &Customer, outcome: &Outcome) -> Merged {
    Merged {
        merge: Merge {
            id: MergeId::new(),
            into: into.id,
            from: from.id,
            taken: outcome.taken.keys().cloned().collect(),
            tags_added: outcome.tags_added.clone(),
            merged_at: into.record.created_at,
            merged_by: "test".to_owned(),
            undone_at: None,
            undone_by: None,
        },
        taken: outcome.taken.clone(),
    }
}

fn choices(list: &[(&str, Choice)]) -> BTreeMap<String, Choice> {
    list.iter()
        .map(|(name, choice)| ((*name).to_owned(), *choice))
        .collect()
}

// covers: CRM-10
#[test]
fn the_survivor_keeps_its_own_unless_it_is_empty_or_the_other_is_chosen() {
    let into = customer(json!({
        "name": "Acme", "sector": "retail", "tags": ["vip"], "externalKey": "a-1", "custom": { "size": 3, "old": "x" }
    }));
    let from = customer(json!({
        "name": "Acme Inc", "phone": "+4930", "sector": "technology", "revenueMinor": 7, "tags": ["cold", "vip"],
        "custom": { "size": 4, "note": "y" }
    }));
    let chosen = choices(&[
        ("name", Choice::From),
        ("phone", Choice::Into),
        ("custom.size", Choice::From),
        ("custom.old", Choice::From),
        ("externalKey", Choice::From),
    ]);
    let outcome = merge(&into, &from, &chosen).unwrap();
    let survivor = &outcome.survivor;
    assert_eq!(survivor.name, "Acme Inc");
    assert_eq!(survivor.phone, None, "refused");
    assert_eq!(survivor.sector.as_deref(), Some("retail"), "its own");
    assert_eq!(survivor.revenue_minor, 7, "was not known");
    assert_eq!(survivor.external_key, None, "the other's, which is empty");
    assert_eq!(
        Value::Object(survivor.custom.clone()),
        json!({ "size": 4, "note": "y" })
    );
    assert_eq!(
        (&survivor.tags, &outcome.tags_added),
        (
            &vec!["cold".to_owned(), "vip".to_owned()],
            &vec!["cold".to_owned()]
        )
    );
    assert_eq!((survivor.id, survivor.owner_id), (into.id, into.owner_id));

    let (back, kept) = unmerge(survivor, &merged(&into, &from, &outcome)).unwrap();
    assert!(kept.is_empty(), "{kept:?}");
    assert_eq!(back, into, "nothing is left of the other");
}

// covers: CRM-10
#[test]
fn what_was_edited_since_stays() {
    let into = customer(json!({ "name": "Acme" }));
    let from = customer(json!({ "name": "Acme Inc", "phone": "+4930", "sector": "retail" }));
    let outcome = merge(&into, &from, &choices(&[("name", Choice::From)])).unwrap();
    let edited = Customer {
        phone: Some("+4931".to_owned()),
        ..outcome.survivor.clone()
    };
    let (back, kept) = unmerge(&edited, &merged(&into, &from, &outcome)).unwrap();
    assert_eq!(kept, ["phone"]);
    assert_eq!(
        (&*back.name, back.phone.as_deref(), back.sector),
        ("Acme", Some("+4931"), None)
    );
}

// covers: CRM-10
#[test]
fn the_first_of_two_merges_can_be_undone_first() {
    let into = customer(json!({ "name": "Acme" }));
    let (first, second) = (
        customer(json!({ "name": "First", "phone": "+491" })),
        customer(json!({ "name": "Second", "phone": "+492" })),
    );
    let one = merge(&into, &first, &BTreeMap::new()).unwrap();
    let two = merge(&one.survivor, &second, &choices(&[("phone", Choice::From)])).unwrap();
    let (one_kept, two_kept) = (merged(&into, &first, &one), merged(&into, &second, &two));
    let (after, kept) = unmerge(&two.survivor, &one_kept).unwrap();
    assert_eq!(
        (kept, after.phone.as_deref()),
        (vec!["phone".to_owned()], Some("+492"))
    );
    let changed = relink(&one_kept, vec![two_kept]);
    assert_eq!(changed.len(), 1);
    let (after, kept) = unmerge(&after, &changed[0]).unwrap();
    assert_eq!((kept.len(), after), (0, into));
}

// covers: CRM-10
#[test]
fn a_field_that_is_none_is_pointed_at() {
    let (into, from) = (
        customer(json!({ "name": "Acme" })),
        customer(json!({ "name": "Other" })),
    );
    let wrong = choices(&[("status", Choice::From), ("custom.none", Choice::From)]);
    let errors = merge(&into, &from, &wrong).err().unwrap().errors;
    let pointers: Vec<_> = errors.iter().map(|e| &*e.pointer).collect();
    assert_eq!(pointers, ["/fields/custom.none", "/fields/status"]);
}
