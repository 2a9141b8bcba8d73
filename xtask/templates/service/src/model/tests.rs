//! The rules of __resources__, without a database.

use super::*;
use stoa_kernel::{Actor, Clock};

fn input(name: &str) -> __Resource__Input {
    __Resource__Input {
        name: name.to_owned(),
        description: None,
    }
}

fn __resource__() -> __Resource__ {
    let origin = stoa_kernel::db::Origin {
        actor: Actor::System("test".to_owned()),
        correlation: stoa_types::new_id(),
        causation: None,
        traceparent: None,
    };
    let record = Record::new(&origin, &Clock::system());
    __Resource__::new(__Resource__Id::new(), input("First"), record)
}

#[test]
fn names_are_trimmed_and_have_2_to_200_characters() {
    assert_eq!(input("  First ").checked().unwrap().name, "First");
    assert!(input(&"ü".repeat(200)).checked().is_ok());
    for bad in ["", " A ", &*"ü".repeat(201), "a\u{0}b"] {
        assert_eq!(input(bad).checked().unwrap_err().errors[0].pointer, "/name", "{bad:?}");
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let wrong = __Resource__Input {
        name: "A".to_owned(),
        description: Some("x".repeat(1_001)),
    };
    let problem = wrong.checked().unwrap_err();
    let pointers: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!(pointers, ["/name", "/description"]);
}

#[test]
fn an_empty_description_is_none() {
    let kept = __Resource__Input {
        description: Some("  ".to_owned()),
        ..input("First")
    };
    assert_eq!(kept.checked().unwrap().description, None);
}

#[test]
fn events_name_what_changed_but_hold_no_value_of_it() {
    let before = __resource__();
    let after = before.with(__Resource__Input {
        description: Some("Secret".to_owned()),
        ..input("Second")
    });
    let changed = before.changed_fields(&after);
    assert_eq!(changed, ["name", "description"]);
    let event = serde_json::to_string(&after.updated(changed)).unwrap();
    assert!(!event.contains("Second") && !event.contains("Secret"), "{event}");
    assert!(before.changed_fields(&before.with(input("First"))).is_empty());
}
