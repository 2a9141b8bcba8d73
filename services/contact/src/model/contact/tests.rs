//! The rules of contacts, without a database.

use super::*;
use stoa_kernel::{Actor, Clock};

fn input(name: &str) -> ContactInput {
    ContactInput {
        name: name.to_owned(),
        ..ContactInput::default()
    }
}

fn contact() -> Contact {
    let origin = stoa_kernel::db::Origin {
        actor: Actor::System("test".to_owned()),
        correlation: stoa_types::new_id(),
        causation: None,
        traceparent: None,
    };
    let record = Record::new(&origin, &Clock::system());
    Contact::new(
        ContactId::new(),
        input("Jane"),
        BranchId::new(),
        UserId::new(),
        record,
    )
}

#[test]
fn names_are_trimmed_and_have_1_to_200_characters() {
    assert_eq!(input("  J ").checked().unwrap().name, "J");
    assert!(input(&"ü".repeat(200)).checked().is_ok());
    for bad in ["", "  ", &*"ü".repeat(201), "a\u{0}b"] {
        assert_eq!(
            input(bad).checked().unwrap_err().errors[0].pointer,
            "/name",
            "{bad:?}"
        );
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let wrong = ContactInput {
        name: String::new(),
        email: Some("nobody".to_owned()),
        phone: Some("+0123".to_owned()),
        position: Some("x".repeat(101)),
        ..ContactInput::default()
    };
    let problem = wrong.checked().unwrap_err();
    let pointers: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!(pointers, ["/name", "/email", "/phone", "/position"]);
    let role = LinkInput {
        role: Some("x".repeat(101)),
        primary: false,
    };
    assert_eq!(role.checked().unwrap_err().errors[0].pointer, "/role");
}

#[test]
fn branch_and_owner_stay_unless_given() {
    let before = contact();
    let kept = before.with(input("Jane"));
    assert_eq!(kept, before);
    let owner = UserId::new();
    let given = before.with(ContactInput {
        owner_id: Some(owner),
        ..input("Jane")
    });
    assert_eq!((given.branch_id, given.owner_id), (before.branch_id, owner));
}

// covers: EV-16
#[test]
fn events_name_what_changed_but_hold_no_value_of_it() {
    let before = contact();
    let after = before.with(ContactInput {
        email: Some("secret@person.example".to_owned()),
        ..input("Secret")
    });
    let changed = before.changed_fields(&after);
    assert_eq!(changed, ["name", "email"]);
    let event = serde_json::to_string(&after.updated(changed)).unwrap();
    assert!(!event.contains("Secret") && !event.contains("secret"), "{event}");
}
