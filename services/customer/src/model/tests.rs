//! The rules of customers, without a database.

use super::*;
use stoa_kernel::{Actor, Clock};

fn input() -> CustomerInput {
    CustomerInput {
        name: "Acme".to_owned(),
        ..CustomerInput::default()
    }
}

fn customer() -> Customer {
    let origin = stoa_kernel::db::Origin {
        actor: Actor::System("test".to_owned()),
        correlation: stoa_types::new_id(),
        causation: None,
        traceparent: None,
    };
    let record = Record::new(&origin, &Clock::system());
    Customer::new(CustomerId::new(), input(), BranchId::new(), UserId::new(), record)
}

fn refused(input: CustomerInput) -> Vec<String> {
    let problem = input.checked().err();
    problem
        .map(|p| p.errors.into_iter().map(|e| e.pointer).collect())
        .unwrap_or_default()
}

// covers: CRM-04
#[test]
fn the_lifecycle_has_these_moves_and_no_others() {
    use CustomerStatus::{Active, Inactive, Lead, Lost};
    let moves = [
        (Lead, Active),
        (Lead, Lost),
        (Active, Inactive),
        (Active, Lost),
        (Inactive, Active),
        (Inactive, Lost),
        (Lost, Lead),
    ];
    for from in CustomerStatus::ALL {
        for to in CustomerStatus::ALL {
            assert_eq!(
                next_statuses(from).contains(&to),
                moves.contains(&(from, to)),
                "{from:?} to {to:?}"
            );
        }
    }
}

// covers: CRM-04
#[test]
fn names_have_2_to_200_characters() {
    for (name, valid) in [
        ("A", false),
        (" A ", false),
        ("Ab", true),
        (&*"ß".repeat(200), true),
        (&*"ß".repeat(201), false),
    ] {
        assert_eq!(
            refused(CustomerInput {
                name: name.to_owned(),
                ..input()
            })
            .is_empty(),
            valid,
            "{name}"
        );
    }
}

// covers: CRM-04
#[test]
fn phone_numbers_follow_the_pattern() {
    for valid in ["+12", "12", "+4930123456", "123456789012345"] {
        assert!(
            refused(CustomerInput {
                phone: Some(valid.to_owned()),
                ..input()
            })
            .is_empty(),
            "{valid}"
        );
    }
    for bad in [
        "+1",
        "1",
        "012",
        "+012",
        "1234567890123456",
        "12a",
        "++12",
        "+",
        "12 34",
        "１２３",
    ] {
        assert_eq!(
            refused(CustomerInput {
                phone: Some(bad.to_owned()),
                ..input()
            }),
            ["/phone"],
            "{bad}"
        );
    }
}

// covers: CRM-04
#[test]
fn email_addresses_are_checked_and_normalised() {
    let kept = CustomerInput {
        email: Some(" Ann.Lee+x@Example.COM ".to_owned()),
        ..input()
    }
    .checked()
    .unwrap();
    assert_eq!(kept.email.as_deref(), Some("ann.lee+x@example.com"));
    assert_eq!(
        CustomerInput {
            email: Some(" ".to_owned()),
            ..input()
        }
        .checked()
        .unwrap()
        .email,
        None
    );
    for bad in [
        "a", "a@b", "@b.c", "a@", "a b@c.d", "a..b@c.d", ".a@c.d", "a@-c.d", "a@c..d", "a@b@c.d",
    ] {
        assert_eq!(
            refused(CustomerInput {
                email: Some(bad.to_owned()),
                ..input()
            }),
            ["/email"],
            "{bad}"
        );
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let wrong = CustomerInput {
        name: String::new(),
        email: Some("x".to_owned()),
        phone: Some("x".to_owned()),
        revenue_minor: -1,
        employees: Some(-1),
        ..CustomerInput::default()
    };
    assert_eq!(
        refused(wrong),
        ["/name", "/email", "/phone", "/revenueMinor", "/employees"]
    );
}

// covers: EV-16
#[test]
fn events_name_what_changed_but_hold_no_value_of_it() {
    let before = customer();
    let input = CustomerInput {
        name: "Secret Name".to_owned(),
        phone: Some("+4930".to_owned()),
        ..input()
    };
    let after = before.with(input);
    let changed = before.changed_fields(&after);
    assert_eq!(changed, ["name", "phone"]);
    let event = serde_json::to_string(&after.updated(changed)).unwrap();
    assert!(!event.contains("Secret") && !event.contains("4930"), "{event}");
    assert!(
        !serde_json::to_string(&after.created())
            .unwrap()
            .contains("Secret")
    );
}

#[test]
fn input_keeps_branch_owner_and_status_unless_given() {
    let before = customer();
    let after = before.with(input());
    assert_eq!(before, after);
    let branch = BranchId::new();
    let moved = before.with(CustomerInput {
        branch_id: Some(branch),
        ..input()
    });
    assert_eq!((moved.branch_id, moved.owner_id), (branch, before.owner_id));
}
